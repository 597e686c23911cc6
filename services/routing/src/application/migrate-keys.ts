import type { ResponseOf, routingContracts } from '@plexus/contracts';
import { migrateKey } from '@plexus/routing-core';
import type { MaintenanceStore } from './maintenance-ports.js';
import type { TenantSnapshot } from './tenant-settings.js';

type Page = ResponseOf<typeof routingContracts.migrateSessionKeys>;

/** Brings stored session keys into canonical form, page by page; what would merge two conversations is reported and left alone. */
export class MigrateKeys {
  constructor(private readonly store: MaintenanceStore) {}

  async execute(tenant: string, { config }: TenantSnapshot, page: { dryRun: boolean; after: number; limit: number }): Promise<Page> {
    const keys = await this.store.storedKeys(tenant, page);
    const changed: Page['changed'] = [];
    const collisions: Page['collisions'] = [];
    for (const { ref, owner, agentId, sessionKey } of keys) {
      const to = migrateKey(config, sessionKey, agentId);
      if (to === undefined || to === sessionKey) continue;
      const outcome = page.dryRun ? 'renamed' : await this.store.renameKey(ref, to);
      if (outcome === 'taken') collisions.push({ owner, from: sessionKey, to });
      else if (outcome === 'renamed') changed.push({ owner, from: sessionKey, to });
    }
    const last = keys.at(-1)?.ref;
    return { scanned: keys.length, changed, collisions, ...(keys.length === page.limit && last !== undefined ? { next: last } : {}) };
  }
}
