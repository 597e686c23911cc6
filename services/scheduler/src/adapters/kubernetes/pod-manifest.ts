import type { V1PersistentVolumeClaim, V1Pod, V1ResourceRequirements, V1Secret } from '@kubernetes/client-node';
import { type Bootstrap, type IncarnationKey, type InstanceSpec, type Isolation, ProviderError } from '../../application/provider-port.js';
import { requirePlainEnvironment } from '../template-environment.js';
import { ANNOTATIONS, LABELS, labelValue, objectName, secretName, tenantLabel } from './names.js';
import { type Network, networkPolicy } from './network-policy.js';
import type { PodOptions } from './options.js';

/** What a template may say for this provider beyond what all understand. */
export interface KubernetesTemplate {
  /** Weakest isolation that will do. */
  readonly isolation?: Isolation;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: PodOptions['tolerations'];
}

export const CONTAINER = 'runtime';
export const GRACE_SECONDS = 10;
const BOOTSTRAP_FOLDER = '/var/run/plexus';
const BOOTSTRAP_FILE = 'bootstrap.json';
const WORKSPACE = '/workspace';
/** The Pod ends this much after the longest life of an incarnation, even when no scheduler is left. */
const BACK_STOP_MS = 600_000;
/** Stdin from the file, so that a runtime finds its secrets where every provider puts them; neither argv nor environment ever hold them. */
const READ_FROM_FILE = 'exec "$@" < "$PLEXUS_BOOTSTRAP_FILE"';

/** Labels by which everything of this mesh is found. */
export function clusterLabels(cluster: string): Record<string, string> {
  return { [LABELS.cluster]: labelValue(cluster) };
}

/** Labels of one VM. */
export function vmLabels(cluster: string, vmId: string): Record<string, string> {
  return { ...clusterLabels(cluster), [LABELS.vm]: labelValue(vmId) };
}

function metadata(options: PodOptions, key: IncarnationKey & { readonly tenant?: string }, name: string) {
  return {
    name,
    labels: {
      ...vmLabels(options.cluster, key.vmId),
      [LABELS.epoch]: String(key.epoch),
      [LABELS.managedBy]: 'plexus-scheduler',
      ...(key.tenant === undefined ? {} : { [LABELS.tenant]: tenantLabel(key.tenant) }),
    },
    annotations: { [ANNOTATIONS.vmId]: key.vmId, [ANNOTATIONS.cluster]: options.cluster },
  };
}

/** Which network a template gets. */
export function networkOf(spec: InstanceSpec, options: PodOptions): Network {
  return spec.template?.network ?? (options.network.internet ? 'internet' : 'mesh');
}

/** The Pod of an incarnation. Rejects what cannot be honoured with `INVALID_SPEC`. */
export function podOf(spec: InstanceSpec, options: PodOptions): V1Pod {
  const template: InstanceSpec['template'] & KubernetesTemplate = spec.template ?? {};
  const name = objectName(spec.vmId);
  const policy = networkPolicy(networkOf(spec, options), options.network, options.cluster);
  const { labels, annotations } = metadata(options, spec, name);
  const environment = {
    ...options.environment,
    ...requirePlainEnvironment(template),
    CONTROL_PLANE_WS: options.controlPlaneUrl,
    HOME: WORKSPACE,
    PLEXUS_BOOTSTRAP_FILE: `${BOOTSTRAP_FOLDER}/${BOOTSTRAP_FILE}`,
    PLEXUS_CLUSTER: options.cluster,
    PLEXUS_WORKDIR: WORKSPACE,
    VM_EPOCH: String(spec.epoch),
    VM_ID: spec.vmId,
    VM_USER_ID: spec.userId,
  };
  const runtimeClassName = runtimeClassOf(template.isolation, options);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: {
        ...labels,
        [LABELS.network]: policy.metadata?.labels?.[LABELS.network] as string,
        ...(template.hash === undefined ? {} : { [LABELS.template]: labelValue(template.hash) }),
      },
      annotations,
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: Math.ceil(((template.maxLifeMs ?? options.maxLifeMs) + BACK_STOP_MS) / 1_000),
      terminationGracePeriodSeconds: GRACE_SECONDS,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(options.serviceAccount === undefined ? {} : { serviceAccountName: options.serviceAccount }),
      ...(options.imagePullSecrets.length === 0 ? {} : { imagePullSecrets: options.imagePullSecrets.map((secret) => ({ name: secret })) }),
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
      nodeSelector: { ...options.nodeSelector, ...template.nodeSelector },
      tolerations: [...options.tolerations, ...(template.tolerations ?? [])],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: options.user,
        runAsGroup: options.user,
        fsGroup: options.user,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: CONTAINER,
          image: template.image ?? options.image,
          command: ['/bin/sh', '-c', READ_FROM_FILE, CONTAINER, ...(template.command ?? options.command)],
          workingDir: WORKSPACE,
          env: Object.entries(environment).map(([variable, value]) => ({ name: variable, value: escapeReferences(value) })),
          resources: resourcesOf(template, options),
          securityContext: {
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            capabilities: { drop: ['ALL'] },
          },
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [
            { name: 'workspace', mountPath: WORKSPACE },
            { name: 'scratch', mountPath: '/tmp' },
            { name: 'bootstrap', mountPath: BOOTSTRAP_FOLDER, readOnly: true },
          ],
        },
      ],
      volumes: [
        options.workspace === 'pvc'
          ? { name: 'workspace', persistentVolumeClaim: { claimName: name } }
          : { name: 'workspace', emptyDir: { sizeLimit: `${options.workspaceMib}Mi` } },
        { name: 'scratch', emptyDir: { sizeLimit: `${options.scratchMib}Mi` } },
        // Readable for the group that the Pod runs as, and nobody else.
        { name: 'bootstrap', secret: { secretName: secretName(spec.vmId, spec.epoch), defaultMode: 0o440 } },
      ],
    },
  };
}

/** Kubernetes replaces `$(NAME)` in values; a user id must arrive as it is. */
function escapeReferences(value: string): string {
  return value.replaceAll('$(', '$$$$(');
}

function runtimeClassOf(wanted: Isolation | undefined, options: PodOptions): string | undefined {
  if (wanted !== 'microvm' && options.isolation !== 'microvm') return undefined;
  if (options.microvmRuntimeClass === undefined) {
    throw new ProviderError('INVALID_SPEC', 'the template demands a microvm, but KUBERNETES_MICROVM_RUNTIME_CLASS is not set');
  }
  return options.microvmRuntimeClass;
}

function resourcesOf(template: NonNullable<InstanceSpec['template']>, options: PodOptions): V1ResourceRequirements {
  const cpuMillis = template.resources?.cpuMillis ?? options.cpuMillis;
  const memory = `${template.resources?.memoryMib ?? options.memoryMib}Mi`;
  const disk = `${options.scratchMib + (options.workspace === 'pvc' ? 0 : options.workspaceMib)}Mi`;
  return {
    limits: { cpu: `${cpuMillis}m`, memory, 'ephemeral-storage': disk },
    // Memory cannot be taken back, so none of it is promised twice; time on a core can.
    requests: { cpu: `${Math.max(1, Math.floor(cpuMillis / 4))}m`, memory, 'ephemeral-storage': disk },
  };
}

/** The secrets of an incarnation, for the file that its Pod mounts. */
export function secretOf(spec: InstanceSpec, bootstrap: Bootstrap, options: PodOptions): V1Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: metadata(options, spec, secretName(spec.vmId, spec.epoch)),
    data: { [BOOTSTRAP_FILE]: Buffer.from(`${JSON.stringify(bootstrap)}\n`).toString('base64') },
  };
}

/** The workspace of a VM; it outlives Pods. */
export function workspaceOf(spec: InstanceSpec, options: PodOptions, usedAt: string): V1PersistentVolumeClaim {
  const { name, labels, annotations } = metadata(options, spec, objectName(spec.vmId));
  const { [LABELS.epoch]: _epoch, ...lasting } = labels as Record<string, string>;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, labels: lasting, annotations: { ...annotations, [ANNOTATIONS.epoch]: String(spec.epoch), [ANNOTATIONS.usedAt]: usedAt } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: `${options.workspaceMib}Mi` } },
      ...(options.storageClass === undefined ? {} : { storageClassName: options.storageClass }),
    },
  };
}
