import { type ProviderDependencies, requireCluster } from '../providers.js';
import { openKubernetes } from './open.js';
import type { KubernetesProvider } from './kubernetes-provider.js';

/** The provider with the settings of this service. Of the scheduler's own environment only what a container can use goes along. */
export function openConfigured({ config, log }: ProviderDependencies): Promise<KubernetesProvider> {
  const { LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL } = config;
  const environment = Object.entries({ LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return openKubernetes(
    config,
    {
      cluster: requireCluster(config, 'kubernetes'),
      controlPlaneUrl: config.CONTROL_PLANE_WS,
      environment: Object.fromEntries(environment),
      maxLifeMs: config.VM_MAX_LIFE_MS,
    },
    { log },
  );
}
