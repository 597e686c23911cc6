import { createHash } from 'node:crypto';
import { type Database, withAdvisoryLock } from '@plexus/database';
import { stableStringify } from '@plexus/kernel';
import type { DeclaredTemplates } from '../../templates.js';

const LOCK = 'scheduler-templates';

/** Writes what is declared: the newest version of a template becomes the current one, older ones stay for the VMs that have them. */
export async function declareTemplates(database: Database, { templates, pools }: DeclaredTemplates): Promise<void> {
  await database.transaction(async (tx) => {
    await withAdvisoryLock(tx, LOCK, async () => {
      for (const template of templates) {
        const { name, provider, isolationMin, labels, idleMs, maxLifeMs, spec } = template;
        // The longest life is part of a version: what runs was started with a back-stop for the old one.
        const hash = createHash('sha256').update(stableStringify({ provider, isolationMin, labels, spec, maxLifeMs })).digest('hex').slice(0, 16);
        await tx.query('template_retire', 'UPDATE vm_templates SET is_current = false WHERE name = $1 AND spec_hash <> $2 AND is_current', [name, hash]);
        await tx.query(
          'template_put',
          `INSERT INTO vm_templates (id, name, provider, spec, spec_hash, isolation_min, labels, idle_ms, max_life_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (name, spec_hash) DO UPDATE SET is_current = true, idle_ms = $8, max_life_ms = $9`,
          [`${name}-${hash}`, name, provider ?? null, JSON.stringify(spec), hash, isolationMin, JSON.stringify(labels), idleMs ?? null, maxLifeMs ?? null],
        );
      }
      await tx.query('pools_retire', 'DELETE FROM warm_pools WHERE NOT id = ANY ($1)', [pools.map(({ id }) => id)]);
      for (const pool of pools) {
        await tx.query(
          'pool_put',
          `INSERT INTO warm_pools (id, tenant_id, template, size, max_age_ms, update_policy) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (id) DO UPDATE SET tenant_id = $2, template = $3, size = $4, max_age_ms = $5, update_policy = $6`,
          [pool.id, pool.tenant, pool.template, pool.size, pool.maxAgeMs, pool.updatePolicy],
        );
      }
    });
  });
}
