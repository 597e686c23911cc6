import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { type Caller, mayDelete, maySee, type Scope } from '../domain/access.js';
import { decodeCursor, encodeCursor } from '../domain/list-cursor.js';
import { CURRENT_RULES } from '../domain/lex-rules.js';
import { isIdentifier } from '../domain/memory-text.js';
import type { EmbeddingModels } from './embedding-models.js';
import type { Lexicon, Link, LinkStore } from './lexicon-ports.js';
import type { EmbeddingStore, MemoryReader, MemoryWriter, ModelState, StoredMemory, VectorSupport } from './ports.js';
import { requireViews } from './require-scope.js';

/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 640 * 1_024;
const MAX_ID_BYTES = 64;

export interface MemoryPage {
  readonly memories: readonly StoredMemory[];
  readonly nextCursor?: string;
}

export interface MemoryCounts {
  readonly memories: number;
  readonly pendingEmbeddings: number;
  readonly failedEmbeddings: number;
  readonly oldestPendingSeconds?: number;
  readonly vectorExtension: boolean;
  /** Version of the rules by which texts become terms, and how many memories still have terms of an earlier one. */
  readonly terms: { readonly version: number; readonly pending: number };
  readonly backend: 'pglite' | 'postgres';
  readonly models: readonly {
    readonly id: string;
    readonly kind: 'semantic' | 'lexical-hash';
    readonly state: ModelState;
    readonly dimensions: number;
    readonly floor?: number;
    readonly progress?: number;
  }[];
}

/** Get, list, delete and count. What a caller may not see does not exist for it. */
export class ReadMemories {
  constructor(
    private readonly reader: MemoryReader,
    private readonly writer: MemoryWriter,
    private readonly vectors: VectorSupport,
    private readonly models: EmbeddingModels,
    private readonly embeddings: EmbeddingStore,
    private readonly clock: Clock,
    private readonly extras: { readonly lexicon?: Lexicon; readonly links?: LinkStore; readonly rules?: { readonly version: number } } = {},
  ) {}

  /** Fails with NOT_FOUND for what is not there, deleted, expired, or somebody else's. */
  async get(caller: Caller, id: string): Promise<StoredMemory> {
    const memory = await this.#find(caller, id);
    if (memory === undefined) throw errors.create('NOT_FOUND', { details: { id } });
    return memory;
  }

  /** Others of its place that say nearly the same. Whoever sees one of them sees them all. */
  async nearDuplicates({ tenant }: Caller, id: string): Promise<readonly Link[]> {
    return (await this.extras.links?.of(tenant, id, new Date(this.clock.now()))) ?? [];
  }

  /** One page, newest first. It may be shorter than `limit` when contents are large; `nextCursor` is absent at the end. */
  async list(
    caller: Caller,
    request: { readonly scope?: Scope; readonly limit: number; readonly cursor?: string; readonly includeHistory?: boolean },
  ): Promise<MemoryPage> {
    const [view] = requireViews(caller, request.scope === undefined ? undefined : [request.scope]);
    const after = request.cursor === undefined ? undefined : decodeCursor(request.cursor);
    if (request.cursor !== undefined && after === undefined) {
      throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'cursor', message: 'is not a cursor of a listing' }] } });
    }
    if (view === undefined) return { memories: [] };
    const found = await this.reader.list(caller.tenant, view, new Date(this.clock.now()), {
      ...(after && { after }),
      limit: request.limit + 1,
      includeHistory: request.includeHistory ?? false,
    });
    const memories = fitting(found.slice(0, request.limit));
    const last = memories.at(-1);
    if (last === undefined || memories.length === found.length) return { memories };
    return { memories, nextCursor: encodeCursor({ createdAt: last.createdAt.getTime(), id: last.id }) };
  }

  /** False when it is not there for this caller. FORBIDDEN when it may be read but not deleted. */
  async delete(caller: Caller, id: string): Promise<boolean> {
    const memory = await this.#find(caller, id);
    if (memory === undefined) return false;
    if (!mayDelete(caller, memory.place, memory.author)) {
      throw errors.create('FORBIDDEN', { message: 'Only its author or an administrator may delete this memory.' });
    }
    return this.writer.forget(caller.tenant, id, new Date(this.clock.now()));
  }

  async stats({ tenant }: Caller): Promise<MemoryCounts> {
    const now = this.clock.now();
    const [memories, vectorExtension, wanted] = await Promise.all([
      this.reader.count(tenant, new Date(now)),
      this.vectors.vectorExtension(),
      this.models.wanted(),
    ]);
    const states = await Promise.all(wanted.map(async (record) => ({ record, ...(await this.embeddings.pending(tenant, record.table, record.model.id)) })));
    const { version } = this.extras.rules ?? CURRENT_RULES;
    const terms = { version, pending: (await this.extras.lexicon?.pending(tenant, version)) ?? 0 };
    const active = states.find(({ record }) => record.state === 'active');
    return {
      memories,
      pendingEmbeddings: active?.pending ?? 0,
      failedEmbeddings: active?.failed ?? 0,
      ...(active?.oldest === undefined ? {} : { oldestPendingSeconds: Math.max(0, (now - active.oldest.getTime()) / 1_000) }),
      vectorExtension,
      terms,
      backend: this.vectors.backend,
      models: states.map(({ record, pending }) => ({
        id: record.model.id,
        kind: record.model.kind,
        state: record.state,
        dimensions: record.model.dimensions,
        ...(record.floor === undefined ? {} : { floor: record.floor }),
        progress: memories === 0 ? 1 : Math.max(0, Math.min(1, (memories - pending) / memories)),
      })),
    };
  }

  async #find(caller: Caller, id: string): Promise<StoredMemory | undefined> {
    if (!isIdentifier(id, MAX_ID_BYTES)) return undefined;
    const memory = await this.reader.get(caller.tenant, id, new Date(this.clock.now()));
    return memory !== undefined && maySee(caller, memory.place) ? memory : undefined;
  }
}

function fitting(memories: readonly StoredMemory[]): StoredMemory[] {
  const page: StoredMemory[] = [];
  let bytes = 0;
  for (const memory of memories) {
    bytes += Buffer.byteLength(JSON.stringify(memory));
    if (page.length > 0 && bytes > MAX_PAGE_BYTES) break;
    page.push(memory);
  }
  return page;
}
