import { type KubeObject, Refusal, type Resource } from './object-store.js';

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/;
const QUANTITY = /^\d+(\.\d+)?(m|Ki|Mi|Gi|k|M|G)?$/;
const POD_SPEC = new Set([
  'restartPolicy',
  'activeDeadlineSeconds',
  'terminationGracePeriodSeconds',
  'automountServiceAccountToken',
  'enableServiceLinks',
  'serviceAccountName',
  'imagePullSecrets',
  'runtimeClassName',
  'nodeSelector',
  'tolerations',
  'securityContext',
  'containers',
  'volumes',
]);
const CONTAINER = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'env',
  'resources',
  'securityContext',
  'terminationMessagePolicy',
  'volumeMounts',
]);

/** Refuses what the real server refuses: 400 for unknown fields (as with strict validation), 422 for bad values, 403 for Pods below "restricted". */
export function validate(resource: Resource, object: KubeObject): void {
  const problems: string[] = [];
  const need = (holds: unknown, problem: string): void => void (holds || problems.push(problem));
  need(NAME.test(object.metadata?.name ?? ''), `metadata.name: Invalid value: "${object.metadata?.name}"`);
  for (const [key, value] of Object.entries(object.metadata?.labels ?? {}))
    need(LABEL_VALUE.test(value), `metadata.labels: Invalid value: "${value}" of ${key}`);
  if (resource === 'pods') validatePod(object, need);
  if (resource === 'secrets') {
    for (const value of Object.values(object.data ?? {})) need(Buffer.from(String(value), 'base64').toString('base64') === value, 'data: no base64');
  }
  if (resource === 'persistentvolumeclaims') {
    need(object.spec?.accessModes?.length > 0, 'spec.accessModes: Required value');
    need(QUANTITY.test(object.spec?.resources?.requests?.storage ?? ''), 'spec.resources[storage]: Required value');
  }
  if (resource === 'networkpolicies') {
    need(object.spec?.podSelector !== undefined, 'spec.podSelector: Required value');
    for (const rule of object.spec?.egress ?? []) {
      for (const peer of rule.to ?? [])
        need(peer.ipBlock === undefined || peer.podSelector === undefined, 'spec.egress.to: ipBlock and podSelector exclude each other');
    }
  }
  if (problems.length > 0) throw new Refusal(422, 'Invalid', `${object.kind} "${object.metadata?.name}" is invalid: ${problems.join(', ')}`);
}

function validatePod({ metadata, spec }: KubeObject, need: (holds: unknown, problem: string) => void): void {
  refuseUnknown(spec ?? {}, POD_SPEC, 'spec');
  need(spec?.containers?.length > 0, 'spec.containers: Required value');
  need(['Never', 'Always', 'OnFailure'].includes(spec?.restartPolicy), 'spec.restartPolicy: Unsupported value');
  need(spec?.activeDeadlineSeconds === undefined || spec.activeDeadlineSeconds > 0, 'spec.activeDeadlineSeconds: must be greater than 0');
  const volumes = new Set(spec?.volumes?.map(({ name }: { name: string }) => name));
  for (const container of spec?.containers ?? []) {
    refuseUnknown(container, CONTAINER, 'spec.containers[0]');
    need(container.name && container.image, 'spec.containers[0]: name and image are required');
    for (const { name } of container.volumeMounts ?? []) need(volumes.has(name), `spec.containers[0].volumeMounts: Not found: "${name}"`);
    for (const [which, values] of Object.entries(container.resources ?? {})) {
      for (const value of Object.values(values as object)) need(QUANTITY.test(String(value)), `resources.${which}: Invalid value: "${value}"`);
    }
    const context = container.securityContext ?? {};
    const restricted =
      context.allowPrivilegeEscalation === false &&
      context.capabilities?.drop?.includes('ALL') &&
      (context.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) === true &&
      ['RuntimeDefault', 'Localhost'].includes(spec.securityContext?.seccompProfile?.type);
    if (!restricted) throw new Refusal(403, 'Forbidden', `pods "${metadata.name}" is forbidden: violates PodSecurity "restricted:latest"`);
  }
}

function refuseUnknown(object: object, known: ReadonlySet<string>, where: string): void {
  const unknown = Object.keys(object).find((key) => !known.has(key));
  if (unknown !== undefined) throw new Refusal(400, 'BadRequest', `strict decoding error: unknown field "${where}.${unknown}"`);
}
