import { type Clock, systemClock } from '@plexus/kernel';
import { type Client, connectKubernetes } from './connection.js';
import { KubernetesProvider, type KubernetesProviderParts } from './kubernetes-provider.js';
import { kubernetesOptions, type Surroundings } from './options.js';
import type { KubernetesSettings } from './settings.js';

/** The provider as settings describe it. Throws `ConfigurationError` with all that is wrong; the cluster itself is not asked yet. */
export async function openKubernetes(
  settings: KubernetesSettings,
  around: Surroundings,
  parts: {
    readonly log: KubernetesProviderParts['log'];
    readonly clock?: Clock;
    readonly timings?: KubernetesProviderParts['timings'];
    readonly load?: () => Promise<Client>;
  },
): Promise<KubernetesProvider> {
  const options = kubernetesOptions(settings, around);
  const clock = parts.clock ?? systemClock;
  const connection = await connectKubernetes(settings, clock, parts.load);
  return new KubernetesProvider({ connection, options, clock, log: parts.log, ...(parts.timings && { timings: parts.timings }) });
}
