import type { Database, Tx } from '@plexus/database';
import type { ImportCounts, ImportStage, StagedMemory } from '../../application/archive-ports.js';
import { inTenant } from './tenant-transaction.js';

/** One transaction, but no statement of it longer than statements may take. */
const COMMIT_LINES = 2_000;

const COLUMNS = `id, scope_kind, scope_id, owner, namespace, kind, content, content_mac, match_mac, lex, lex_version, importance, source, metadata,
  created_at, expires_at, valid_from, valid_to, evergreen, rev, root_id, superseded_by, superseded_at, seen_count`;

const STAGE = `
  INSERT INTO memory_import (tenant_id, import_id, position, line, staged_at, ${COLUMNS})
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, array_to_tsvector($15::text[]), $16, $17, $18::jsonb, $19::jsonb, $20, $21, $22, $23,
          $24, $25, $26, $27, $28, $29)
  ON CONFLICT (tenant_id, import_id, position) DO NOTHING`;
const CLEAR = 'DELETE FROM memory_import WHERE tenant_id = $1 AND import_id = $2 AND position = ANY ($3::int[])';
const STAGED = 'SELECT count(*)::int AS lines FROM memory_import WHERE tenant_id = $1 AND import_id = $2';
const LINES = `
  SELECT position, line FROM memory_import WHERE tenant_id = $1 AND import_id = $2 AND position > $3 ORDER BY position LIMIT $4`;

/** Whoever works on an import holds it: a last page that is repeated waits for the first one, and finds its outcome. */
const HOLD = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL AS held';

/** A memory that was deleted here and stands in the file comes back under its id, where it was: an import is asked for by somebody who means it. */
const CLEAR_DELETED = `
  DELETE FROM memory m USING memory_import i
   WHERE i.tenant_id = $1 AND i.import_id = $2 AND m.tenant_id = $1 AND m.id = i.id AND m.deleted_at IS NOT NULL
     AND m.scope_kind = i.scope_kind AND m.scope_id = i.scope_id AND m.owner = i.owner`;
/** What is still there was deleted by somebody else. */
const CLEAR_TOMBSTONES = `
  DELETE FROM tombstone t USING memory_import i
   WHERE i.tenant_id = $1 AND i.import_id = $2 AND t.tenant_id = $1 AND t.memory_id = i.id AND t.content_mac = i.content_mac
     AND NOT EXISTS (SELECT FROM memory m WHERE m.tenant_id = $1 AND m.id = i.id)`;
const INSERT = `
  INSERT INTO memory (tenant_id, ${COLUMNS})
  SELECT tenant_id, ${COLUMNS} FROM memory_import
   WHERE tenant_id = $1 AND import_id = $2 AND (expires_at IS NULL OR expires_at > $3) AND position >= $4 AND position < $5
   ORDER BY position
  ON CONFLICT DO NOTHING RETURNING 1 AS made`;
const COUNT = `
  SELECT count(*) FILTER (WHERE expires_at <= $3)::int AS expired, count(*)::int AS staged FROM memory_import WHERE tenant_id = $1 AND import_id = $2`;
const KEEP_RESULT = `
  INSERT INTO memory_import_result (tenant_id, import_id, sha256, created, present, expired, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (tenant_id, import_id) DO UPDATE
     SET sha256 = EXCLUDED.sha256, created = EXCLUDED.created, present = EXCLUDED.present, expired = EXCLUDED.expired, finished_at = EXCLUDED.finished_at`;
const RESULT = 'SELECT sha256, created, present, expired FROM memory_import_result WHERE tenant_id = $1 AND import_id = $2';
const DISCARD = 'DELETE FROM memory_import WHERE tenant_id = $1 AND import_id = $2';
const SWEEP = `
  WITH old AS (DELETE FROM memory_import WHERE tenant_id = $1 AND staged_at < $2 RETURNING 1),
       results AS (DELETE FROM memory_import_result WHERE tenant_id = $1 AND finished_at < $3 RETURNING 1)
  SELECT (SELECT count(*) FROM old)::int + (SELECT count(*) FROM results)::int AS gone`;

export class PostgresImportStage implements ImportStage {
  constructor(private readonly database: Database) {}

  async stage(tenant: string, importId: string, memories: readonly StagedMemory[], at: Date): Promise<number> {
    return inTenant(this.database, tenant, async (tx) => {
      await hold(tx, tenant, importId);
      // What a page says anew replaces what it said before: the check at the end looks at all of it.
      if (memories.length > 0) await tx.query('memory_import_clear', CLEAR, [tenant, importId, memories.map(({ position }) => position)]);
      for (const memory of memories) await tx.query('memory_import_stage', STAGE, [tenant, importId, ...stageParameters(memory, at)]);
      const [row] = await tx.query<{ lines: number }>('memory_import_staged', STAGED, [tenant, importId]);
      return row?.lines ?? 0;
    });
  }

  lines(tenant: string, importId: string, after: number, limit: number): Promise<{ readonly position: number; readonly line: string }[]> {
    const parameters = [tenant, importId, after, limit];
    return inTenant(this.database, tenant, (tx) => tx.query('memory_import_lines', LINES, parameters), { readOnly: true });
  }

  async commit(tenant: string, importId: string, sha256: string, now: Date): Promise<ImportCounts> {
    return inTenant(this.database, tenant, async (tx) => {
      await hold(tx, tenant, importId);
      const [finished] = await tx.query<ImportCounts & { sha256: string }>('memory_import_outcome', RESULT, [tenant, importId]);
      if (finished?.sha256 === sha256) return countsOf(finished);
      await tx.query('memory_import_clear_deleted', CLEAR_DELETED, [tenant, importId]);
      await tx.query('memory_import_clear_tombstones', CLEAR_TOMBSTONES, [tenant, importId]);
      const [row] = await tx.query<{ expired: number; staged: number }>('memory_import_count', COUNT, [tenant, importId, now]);
      const { expired = 0, staged = 0 } = row ?? {};
      let created = 0;
      for (let from = 0; from < staged; from += COMMIT_LINES) {
        created += (await tx.query('memory_import_commit', INSERT, [tenant, importId, now, from, from + COMMIT_LINES])).length;
      }
      const counts = { created, present: staged - created - expired, expired };
      await tx.query('memory_import_result', KEEP_RESULT, [tenant, importId, sha256, counts.created, counts.present, counts.expired, now]);
      await tx.query('memory_import_discard', DISCARD, [tenant, importId]);
      return counts;
    });
  }

  async result(tenant: string, importId: string): Promise<(ImportCounts & { readonly sha256: string }) | undefined> {
    const [row] = await inTenant(
      this.database,
      tenant,
      (tx) => tx.query<ImportCounts & { sha256: string }>('memory_import_outcome', RESULT, [tenant, importId]),
      { readOnly: true },
    );
    return row;
  }

  async discard(tenant: string, importId: string): Promise<void> {
    await inTenant(this.database, tenant, async (tx) => {
      await hold(tx, tenant, importId);
      await tx.query('memory_import_discard', DISCARD, [tenant, importId]);
    });
  }

  async sweep(tenant: string, before: { readonly staged: Date; readonly results: Date }): Promise<number> {
    const parameters = [tenant, before.staged, before.results];
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ gone: number }>('memory_import_sweep', SWEEP, parameters));
    return row?.gone ?? 0;
  }
}

async function hold(tx: Tx, tenant: string, importId: string): Promise<void> {
  await tx.query('memory_import_hold', HOLD, [`memory import ${tenant} ${importId}`]);
}

function countsOf({ created, present, expired }: ImportCounts): ImportCounts {
  return { created, present, expired };
}

function stageParameters(memory: StagedMemory, at: Date): unknown[] {
  const { place } = memory;
  return [
    memory.position,
    memory.line,
    at,
    memory.id,
    place.kind,
    place.id,
    place.owner,
    memory.namespace,
    memory.kind,
    memory.content,
    memory.contentMac,
    memory.matchMac,
    memory.terms,
    memory.lexVersion,
    memory.importance ?? null,
    JSON.stringify(memory.source),
    memory.metadata === undefined ? null : JSON.stringify(memory.metadata),
    memory.createdAt,
    memory.expiresAt ?? null,
    memory.validFrom ?? null,
    memory.validTo ?? null,
    memory.evergreen,
    memory.rev,
    memory.rootId ?? null,
    memory.supersededBy ?? null,
    memory.supersededAt ?? null,
    memory.seenCount,
  ];
}
