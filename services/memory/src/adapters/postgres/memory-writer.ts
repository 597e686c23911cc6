import type { DataOf, memoryContracts } from '@plexus/contracts';
import { appendOutbox, type Database, type OutboxMessage, type Tx } from '@plexus/database';
import type { EmbeddingJob, Idempotency, MemoryWriter, NewMemory, SupersedeOutcome, WriteOutcome } from '../../application/ports.js';
import { inTenant } from './tenant-transaction.js';

export type WrittenFact = DataOf<typeof memoryContracts.memoryWritten>;
/** Makes the stored form of the fact `memory.written`. */
export type EncodeWritten = (tenant: string, fact: WrittenFact, time: string) => OutboxMessage;

/** Makes the job that asks for a memory's vectors. Ids only, no content. */
export type EncodeJobs = (job: EmbeddingJob, time: string) => OutboxMessage[];

/** A concurrent write with the same key waits here until the first one has ended. */
const CLAIM_KEY = `
  INSERT INTO memory_idem (tenant_id, idem_key, request_hash, memory_id, created_at) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT DO NOTHING RETURNING idem_key`;
const READ_KEY = 'SELECT request_hash, memory_id FROM memory_idem WHERE tenant_id = $1 AND idem_key = $2';
const POINT_KEY = 'UPDATE memory_idem SET memory_id = $3 WHERE tenant_id = $1 AND idem_key = $2';

/**
 * The second write of a content must live as long as it asked for, so the later expiry wins, and none wins over any. What it said anew
 * about importance and metadata replaces what was there. No row comes back when the one in the way has expired.
 */
const UPSERT = `
  INSERT INTO memory AS m (tenant_id, id, scope_kind, scope_id, owner, namespace, kind, content, content_mac, match_mac, lex, lex_version,
                           importance, source, metadata, created_at, expires_at, valid_from, valid_to, evergreen, rev, root_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, array_to_tsvector($11::text[]), $12, $13, $14::jsonb, $15::jsonb, $16, $17, $18, $19, $20, $21, $22)
  ON CONFLICT (tenant_id, scope_kind, scope_id, owner, namespace, kind, content_mac) WHERE deleted_at IS NULL AND superseded_at IS NULL
  DO UPDATE SET seen_count = m.seen_count + 1,
                expires_at = CASE WHEN m.expires_at IS NULL OR EXCLUDED.expires_at IS NULL THEN NULL ELSE greatest(m.expires_at, EXCLUDED.expires_at) END,
                importance = coalesce(EXCLUDED.importance, m.importance),
                metadata = coalesce(EXCLUDED.metadata, m.metadata)
          WHERE m.expires_at IS NULL OR m.expires_at > $16
  RETURNING m.id`;

const REMOVE_EXPIRED = `
  UPDATE memory SET deleted_at = $8, content = '', lex = '', metadata = NULL
   WHERE tenant_id = $1 AND scope_kind = $2 AND scope_id = $3 AND owner = $4 AND namespace = $5 AND kind = $6 AND content_mac = $7
     AND deleted_at IS NULL AND superseded_at IS NULL AND expires_at <= $8`;

const LOCK_REVISION = `
  SELECT rev, root_id, superseded_by FROM memory
   WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
     FOR UPDATE`;
const SUPERSEDE = 'UPDATE memory SET superseded_by = $3, superseded_at = $4 WHERE tenant_id = $1 AND id = $2';

const FORGET = `
  WITH gone AS (
    UPDATE memory SET deleted_at = $3, content = '', lex = '', metadata = NULL
     WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
    RETURNING id, content_mac
  )
  INSERT INTO tombstone (tenant_id, memory_id, content_mac, deleted_at) SELECT $1, id, content_mac, $3 FROM gone
  ON CONFLICT DO NOTHING RETURNING memory_id`;

/** Between "the row in the way has expired" and the insert somebody else may have written it anew, and let it expire again. */
const MAX_UPSERTS = 3;

export class PostgresMemoryWriter implements MemoryWriter {
  constructor(
    private readonly database: Database,
    private readonly encodeWritten: EncodeWritten,
    /** Encodes the job for one model. */
    private readonly encodeJobs: (modelId: string) => EncodeJobs,
    private readonly afterCommit: () => void,
  ) {}

  async write(tenant: string, memory: NewMemory, idempotency?: Idempotency): Promise<WriteOutcome> {
    const outcome = await inTenant(this.database, tenant, (tx) => this.#write(tx, tenant, memory, idempotency));
    if (outcome.result === 'created') this.afterCommit();
    return outcome;
  }

  async supersede(tenant: string, id: string, next: NewMemory): Promise<SupersedeOutcome> {
    const outcome = await inTenant(this.database, tenant, async (tx): Promise<SupersedeOutcome> => {
      const [old] = await tx.query<{ rev: number; root_id: string | null; superseded_by: string | null }>('memory_lock_revision', LOCK_REVISION, [
        tenant,
        id,
        next.createdAt,
      ]);
      if (old === undefined) return { result: 'gone' };
      if (old.superseded_by !== null) return { result: 'superseded', by: old.superseded_by };
      // Out of the way first: the next revision may say the same again, with another kind of metadata or validity.
      await tx.query('memory_supersede', SUPERSEDE, [tenant, id, next.id, next.createdAt]);
      const written = await this.#insert(tx, tenant, next, { rev: old.rev + 1, rootId: old.root_id ?? id });
      if (written.result === 'duplicate') await tx.query('memory_supersede', SUPERSEDE, [tenant, id, written.id, next.createdAt]);
      return written;
    });
    if (outcome.result === 'created') this.afterCommit();
    return outcome;
  }

  async forget(tenant: string, id: string, at: Date): Promise<boolean> {
    const gone = await inTenant(this.database, tenant, (tx) => tx.query('memory_forget', FORGET, [tenant, id, at]));
    return gone.length > 0;
  }

  async #write(tx: Tx, tenant: string, memory: NewMemory, idempotency: Idempotency | undefined): Promise<WriteOutcome> {
    const earlier = idempotency && (await claimKey(tx, tenant, memory, idempotency));
    if (earlier !== undefined) return earlier;
    const written = await this.#insert(tx, tenant, memory, { rev: 1 });
    if (written.result === 'duplicate' && idempotency) await tx.query('memory_point_key', POINT_KEY, [tenant, idempotency.key, written.id]);
    return written;
  }

  async #insert(tx: Tx, tenant: string, memory: NewMemory, revision: Revision): Promise<{ readonly result: 'created' | 'duplicate'; readonly id: string }> {
    const id = await upsert(tx, tenant, memory, revision);
    if (id !== memory.id) return { result: 'duplicate', id };
    const scope = { kind: memory.place.kind, id: memory.place.id };
    const time = memory.createdAt.toISOString();
    const jobs = memory.modelIds.flatMap((modelId) => this.encodeJobs(modelId)({ tenant, memoryId: id, rev: revision.rev }, time));
    await appendOutbox(tx, [this.encodeWritten(tenant, { memoryId: id, scope, kind: memory.kind }, time), ...jobs]);
    return { result: 'created', id };
  }
}

/** Undefined when the key was free and is now this write's; else what became of the write that had it. */
async function claimKey(tx: Tx, tenant: string, memory: NewMemory, { key, requestHash }: Idempotency): Promise<WriteOutcome | undefined> {
  const claimed = await tx.query('memory_claim_key', CLAIM_KEY, [tenant, key, requestHash, memory.id, memory.createdAt]);
  if (claimed.length > 0) return undefined;
  const [earlier] = await tx.query<{ request_hash: string; memory_id: string }>('memory_read_key', READ_KEY, [tenant, key]);
  if (earlier === undefined) throw new Error('an idempotency key vanished while it was read');
  return earlier.request_hash === requestHash ? { result: 'replayed', id: earlier.memory_id } : { result: 'conflict' };
}

interface Revision {
  readonly rev: number;
  /** The first revision; absent for that one itself. */
  readonly rootId?: string;
}

async function upsert(tx: Tx, tenant: string, memory: NewMemory, { rev, rootId }: Revision): Promise<string> {
  const { place } = memory;
  for (let attempt = 1; attempt <= MAX_UPSERTS; attempt += 1) {
    const [row] = await tx.query<{ id: string }>('memory_upsert', UPSERT, [
      tenant,
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
      memory.evergreen ?? false,
      rev,
      rootId ?? null,
    ]);
    if (row !== undefined) return row.id;
    const where = [tenant, place.kind, place.id, place.owner, memory.namespace, memory.kind, memory.contentMac, memory.createdAt];
    await tx.query('memory_remove_expired', REMOVE_EXPIRED, where);
  }
  throw new Error('an expired memory stayed in the way of a new one');
}
