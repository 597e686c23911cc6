import type { DataOf, memoryContracts } from '@plexus/contracts';
import type { Database, OutboxMessage, Tx } from '@plexus/database';
import type { EmbeddingJob, Idempotency, MemoryWriter, NewMemory, SupersedeOutcome, WriteOutcome } from '../../application/ports.js';
import { allInTenant, inTenant } from './tenant-transaction.js';
import { WriteGroups } from './write-groups.js';
import { type AboutMemory, type Revision, writeMany, writeOne, type WrittenRow } from './write-statements.js';

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

/** Groups of one tenant that are written at the same time: one is sent while the other is made durable. */
const LANES = 2;
/** Between "the row in the way has expired" and the insert somebody else may have written it anew, and let it expire again. */
const MAX_UPSERTS = 3;

type Written = { readonly result: 'created' | 'duplicate'; readonly id: string };

export class PostgresMemoryWriter implements MemoryWriter {
  readonly #groups: WriteGroups<Written>;

  constructor(
    private readonly database: Database,
    private readonly encodeWritten: EncodeWritten,
    /** Encodes the job for one model. */
    private readonly encodeJobs: (modelId: string) => EncodeJobs,
    private readonly afterCommit: () => void,
  ) {
    this.#groups = new WriteGroups(
      (tenant, memories) => this.#writeTogether(tenant, memories),
      database.kind === 'pglite' ? 1 : LANES,
      (tenant, memory) => this.#writeAlone(tenant, memory),
    );
  }

  async write(tenant: string, memory: NewMemory, idempotency?: Idempotency): Promise<WriteOutcome> {
    if (idempotency === undefined) return this.#groups.write(tenant, memory);
    return this.#writeAlone(tenant, memory, idempotency);
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

  /** Undefined for those that expired content is in the way of: they are written by themselves, after removing that. */
  async #writeTogether(tenant: string, memories: readonly NewMemory[]): Promise<(Written | undefined)[]> {
    const [first] = memories;
    const messages = memories.flatMap((memory) => this.#messages(tenant, memory, 1));
    const statement = memories.length === 1 && first !== undefined ? writeOne(tenant, first, { rev: 1 }, messages) : writeMany(tenant, memories, messages);
    const [rows = []] = await allInTenant(this.database, tenant, [statement]);
    const ids = new Map((rows as unknown as WrittenRow[]).map(({ id, content_mac }) => [Buffer.from(content_mac).toString('base64'), id]));
    const outcomes = memories.map((memory) => {
      const id = ids.get(Buffer.from(memory.contentMac).toString('base64'));
      return id === undefined ? undefined : outcomeOf(memory, id);
    });
    if (outcomes.some((outcome) => outcome?.result === 'created')) this.afterCommit();
    return outcomes;
  }

  #writeAlone(tenant: string, memory: NewMemory): Promise<Written>;
  #writeAlone(tenant: string, memory: NewMemory, idempotency: Idempotency): Promise<WriteOutcome>;
  async #writeAlone(tenant: string, memory: NewMemory, idempotency?: Idempotency): Promise<WriteOutcome> {
    const outcome = await inTenant(this.database, tenant, (tx) => this.#write(tx, tenant, memory, idempotency));
    if (outcome.result === 'created') this.afterCommit();
    return outcome;
  }

  async #write(tx: Tx, tenant: string, memory: NewMemory, idempotency: Idempotency | undefined): Promise<WriteOutcome> {
    const earlier = idempotency && (await claimKey(tx, tenant, memory, idempotency));
    if (earlier !== undefined) return earlier;
    const written = await this.#insert(tx, tenant, memory, { rev: 1 });
    if (written.result === 'duplicate' && idempotency) await tx.query('memory_point_key', POINT_KEY, [tenant, idempotency.key, written.id]);
    return written;
  }

  async #insert(tx: Tx, tenant: string, memory: NewMemory, revision: Revision): Promise<Written> {
    const { place } = memory;
    const { name, text, params } = writeOne(tenant, memory, revision, this.#messages(tenant, memory, revision.rev));
    for (let attempt = 1; attempt <= MAX_UPSERTS; attempt += 1) {
      const [row] = await tx.query<WrittenRow>(name, text, params);
      if (row !== undefined) return outcomeOf(memory, row.id);
      const where = [tenant, place.kind, place.id, place.owner, memory.namespace, memory.kind, memory.contentMac, memory.createdAt];
      await tx.query('memory_remove_expired', REMOVE_EXPIRED, where);
    }
    throw new Error('an expired memory stayed in the way of a new one');
  }

  /** What is published if it is created: the fact, and a job for each model. */
  #messages(tenant: string, { id, place, kind, createdAt, modelIds }: NewMemory, rev: number): AboutMemory[] {
    const time = createdAt.toISOString();
    const jobs = modelIds.flatMap((modelId) => this.encodeJobs(modelId)({ tenant, memoryId: id, rev }, time));
    const fact = this.encodeWritten(tenant, { memoryId: id, scope: { kind: place.kind, id: place.id }, kind }, time);
    return [fact, ...jobs].map((message) => ({ ...message, about: id }));
  }
}

function outcomeOf(memory: NewMemory, id: string): Written {
  return { result: id === memory.id ? 'created' : 'duplicate', id };
}

/** Undefined when the key was free and is now this write's; else what became of the write that had it. */
async function claimKey(tx: Tx, tenant: string, memory: NewMemory, { key, requestHash }: Idempotency): Promise<WriteOutcome | undefined> {
  const claimed = await tx.query('memory_claim_key', CLAIM_KEY, [tenant, key, requestHash, memory.id, memory.createdAt]);
  if (claimed.length > 0) return undefined;
  const [earlier] = await tx.query<{ request_hash: string; memory_id: string }>('memory_read_key', READ_KEY, [tenant, key]);
  if (earlier === undefined) throw new Error('an idempotency key vanished while it was read');
  return earlier.request_hash === requestHash ? { result: 'replayed', id: earlier.memory_id } : { result: 'conflict' };
}
