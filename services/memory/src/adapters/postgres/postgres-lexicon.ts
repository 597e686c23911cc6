import type { Database } from '@plexus/database';
import type { Lexicon, OldTerms } from '../../application/lexicon-ports.js';
import { inTenant } from './tenant-transaction.js';

/** Hops from version to version along the index: there are one or two of them, and maybe a million memories. */
const VERSIONS = `
  WITH RECURSIVE seen (version) AS (
    (SELECT m.lex_version::int FROM memory m WHERE m.tenant_id = $1 AND m.deleted_at IS NULL ORDER BY m.lex_version LIMIT 1)
     UNION ALL
    SELECT (SELECT m.lex_version::int FROM memory m WHERE m.tenant_id = $1 AND m.deleted_at IS NULL AND m.lex_version > seen.version
             ORDER BY m.lex_version LIMIT 1)
      FROM seen WHERE seen.version IS NOT NULL
  )
  SELECT version FROM seen WHERE version IS NOT NULL`;
const PENDING = 'SELECT count(*)::int AS pending FROM memory m WHERE m.tenant_id = $1 AND m.deleted_at IS NULL AND m.lex_version < $2';
const OLD = 'SELECT m.id, m.content FROM memory m WHERE m.tenant_id = $1 AND m.deleted_at IS NULL AND m.lex_version < $2 ORDER BY m.lex_version, m.id LIMIT $3';
const REPLACE = `
  UPDATE memory SET lex = array_to_tsvector($4::text[]), lex_version = $3
   WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND lex_version < $3 RETURNING id`;

export class PostgresLexicon implements Lexicon {
  constructor(private readonly database: Database) {}

  async versions(tenant: string): Promise<readonly number[]> {
    const rows = await inTenant(this.database, tenant, (tx) => tx.query<{ version: number }>('memory_lex_versions', VERSIONS, [tenant]), { readOnly: true });
    return rows.map(({ version }) => version);
  }

  async pending(tenant: string, version: number): Promise<number> {
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ pending: number }>('memory_lex_pending', PENDING, [tenant, version]), {
      readOnly: true,
    });
    return row?.pending ?? 0;
  }

  old(tenant: string, version: number, limit: number): Promise<OldTerms[]> {
    return inTenant(this.database, tenant, (tx) => tx.query<OldTerms>('memory_lex_old', OLD, [tenant, version, limit]), { readOnly: true });
  }

  async replace(tenant: string, version: number, entries: readonly { readonly id: string; readonly terms: readonly string[] }[]): Promise<number> {
    return inTenant(this.database, tenant, async (tx) => {
      let replaced = 0;
      for (const { id, terms } of entries) replaced += (await tx.query('memory_lex_replace', REPLACE, [tenant, id, version, terms])).length;
      return replaced;
    });
  }
}
