import { ConfigurationError } from '@plexus/kernel';
import type { Isolation } from '../../application/provider-port.js';
import type { KubernetesSettings, NetworkPeer } from './settings.js';

/** Everything that decides how the objects of a VM look. */
export interface PodOptions {
  readonly cluster: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly controlPlaneUrl: string;
  /** Further variables of every runtime; no secrets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccount: string | undefined;
  readonly user: number;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly workspace: 'pvc' | 'ephemeral';
  readonly workspaceMib: number;
  readonly storageClass: string | undefined;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: KubernetesSettings['KUBERNETES_TOLERATIONS'];
  readonly isolation: Extract<Isolation, 'container' | 'microvm'>;
  readonly microvmRuntimeClass: string | undefined;
  readonly maxLifeMs: number;
  readonly network: NetworkOptions;
}

export interface NetworkOptions {
  readonly gateway: readonly NetworkPeer[];
  readonly gatewayPort: number;
  readonly dns: readonly NetworkPeer[];
  readonly openings: KubernetesSettings['KUBERNETES_EGRESS'];
  /** Of templates that say nothing. */
  readonly internet: boolean;
  readonly enforced: boolean;
}

export interface PlacementOptions {
  readonly namespace: string;
  readonly perTenant: boolean;
}

export interface UnreachableOptions {
  readonly policy: 'wait' | 'never';
  readonly afterMs: number;
}

export interface KubernetesOptions {
  readonly pod: PodOptions;
  readonly placement: PlacementOptions;
  readonly unreachable: UnreachableOptions;
}

/** What the settings of other parts add. */
export interface Surroundings {
  readonly cluster: string;
  readonly controlPlaneUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly maxLifeMs: number;
}

const LONGEST_TENANT_PREFIX = 40;

/** Settings that fit together. Throws `ConfigurationError` with everything that does not. */
export function kubernetesOptions(settings: KubernetesSettings, around: Surroundings): KubernetesOptions {
  const problems: string[] = [];
  const need = (holds: boolean, problem: string): void => void (holds || problems.push(problem));
  const controlPlaneUrl = settings.KUBERNETES_CONTROL_PLANE_WS ?? around.controlPlaneUrl;
  need(settings.KUBERNETES_IMAGE !== undefined, 'KUBERNETES_IMAGE is not set: there is no image to start VMs from');
  need(settings.KUBERNETES_GATEWAY.length > 0, 'KUBERNETES_GATEWAY names nobody: VMs could not reach a gateway through their network policy');
  need(
    settings.KUBERNETES_ISOLATION !== 'microvm' || settings.KUBERNETES_MICROVM_RUNTIME_CLASS !== undefined,
    'KUBERNETES_ISOLATION is microvm, but KUBERNETES_MICROVM_RUNTIME_CLASS is not set',
  );
  need(
    !settings.KUBERNETES_NAMESPACE_PER_TENANT || settings.KUBERNETES_NAMESPACE.length <= LONGEST_TENANT_PREFIX,
    `KUBERNETES_NAMESPACE may have ${LONGEST_TENANT_PREFIX} characters with KUBERNETES_NAMESPACE_PER_TENANT`,
  );
  // Said for Pods explicitly, it is believed: there are Pods in the network of their node.
  need(
    settings.KUBERNETES_CONTROL_PLANE_WS !== undefined || !/^wss?:\/\/(localhost|127\.|\[::1\])/.test(controlPlaneUrl),
    `a Pod cannot reach CONTROL_PLANE_WS ${controlPlaneUrl}: set KUBERNETES_CONTROL_PLANE_WS`,
  );
  if (problems.length > 0) throw new ConfigurationError(`the kubernetes provider cannot start:\n  ${problems.join('\n  ')}`);
  return {
    pod: {
      cluster: around.cluster,
      image: settings.KUBERNETES_IMAGE as string,
      command: settings.KUBERNETES_COMMAND,
      controlPlaneUrl,
      environment: around.environment,
      imagePullSecrets: settings.KUBERNETES_IMAGE_PULL_SECRETS,
      serviceAccount: settings.KUBERNETES_SERVICE_ACCOUNT,
      user: settings.KUBERNETES_USER,
      cpuMillis: settings.KUBERNETES_CPU_MILLIS,
      memoryMib: settings.KUBERNETES_MEMORY_MIB,
      scratchMib: settings.KUBERNETES_SCRATCH_MIB,
      workspace: settings.KUBERNETES_WORKSPACE,
      workspaceMib: settings.KUBERNETES_WORKSPACE_MIB,
      storageClass: settings.KUBERNETES_STORAGE_CLASS,
      nodeSelector: settings.KUBERNETES_NODE_SELECTOR,
      tolerations: settings.KUBERNETES_TOLERATIONS,
      isolation: settings.KUBERNETES_ISOLATION,
      microvmRuntimeClass: settings.KUBERNETES_MICROVM_RUNTIME_CLASS,
      maxLifeMs: around.maxLifeMs,
      network: {
        gateway: settings.KUBERNETES_GATEWAY,
        gatewayPort: settings.KUBERNETES_GATEWAY_PORT ?? portOf(controlPlaneUrl),
        dns: settings.KUBERNETES_DNS,
        openings: settings.KUBERNETES_EGRESS,
        internet: settings.KUBERNETES_INTERNET,
        enforced: settings.KUBERNETES_NETWORK_POLICY_ENFORCED,
      },
    },
    placement: { namespace: settings.KUBERNETES_NAMESPACE, perTenant: settings.KUBERNETES_NAMESPACE_PER_TENANT },
    unreachable: { policy: settings.KUBERNETES_UNREACHABLE, afterMs: settings.KUBERNETES_UNREACHABLE_MS },
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port);
}
