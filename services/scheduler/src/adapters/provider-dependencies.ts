import type { Database } from '@plexus/database';
import { ConfigurationError } from '@plexus/kernel';
import type { EpochCache } from '../application/ports.js';
import type { SchedulerConfig } from '../config.js';

/** What a provider may be made of. */
export interface ProviderDependencies {
  readonly config: SchedulerConfig & { readonly NODE_ENV: string; readonly PLEXUS_STATE_DIR?: string | undefined };
  readonly database: Database;
  readonly epochs: EpochCache;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** The label by which a provider that several machines use knows what belongs to this mesh. Throws `ConfigurationError` when it is not set. */
export function requireCluster(config: ProviderDependencies['config'], provider: string): string {
  if (config.PLEXUS_CLUSTER === undefined) {
    throw new ConfigurationError(`PLEXUS_CLUSTER is not set: the ${provider} provider needs a name for what belongs to this mesh, the same on every replica`);
  }
  return config.PLEXUS_CLUSTER;
}
