import type { SchedulerConfig } from '../../config.js';
import type { KubernetesProvider, KubernetesProviderParts } from './kubernetes-provider.js';
import { openKubernetes } from './open.js';

/** The provider with the settings of this service. Of the scheduler's own environment only what a container can use goes along. */
export function openConfigured(parts: {
  readonly config: SchedulerConfig;
  readonly cluster: string;
  readonly log: KubernetesProviderParts['log'];
}): Promise<KubernetesProvider> {
  const { config, cluster, log } = parts;
  const { LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL } = config;
  const environment = Object.entries({ LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { CONTROL_PLANE_WS: controlPlaneUrl, VM_MAX_LIFE_MS: maxLifeMs } = config;
  return openKubernetes(config, { cluster, controlPlaneUrl, environment: Object.fromEntries(environment), maxLifeMs }, { log });
}
