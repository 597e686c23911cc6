import type { memoryContracts } from '@plexus/contracts';
import type { z } from 'zod';
import type { Place, Scope, Visible } from '../domain/access.js';
import type { Probe } from '../domain/evidence.js';
import type { EmbeddingModel } from '../domain/embedding/model.js';
import type { ListPosition } from '../domain/list-cursor.js';

/** What the use cases need from the world; `src/adapters` provides it. Every call names its tenant and sees nothing of another. */

export type MemoryKind = z.infer<typeof memoryContracts.MemoryKind>;

/** Where a memory came from, kept with it. */
export interface MemorySource {
  readonly user?: string;
  readonly credential: string;
  /** Whose words these are: prompts fence what is not trusted. Absent: the writer's own. */
  readonly origin?: MemoryOrigin;
  /** Memory that this one replaces, session whose messages it keeps, file that it was imported from. */
  readonly from?: Readonly<Record<string, unknown>>;
}

export type MemoryOrigin = 'owner' | 'agent' | 'untrusted' | 'system';

export interface NewMemory {
  readonly id: string;
  readonly place: Place;
  readonly namespace: string;
  readonly kind: MemoryKind;
  readonly content: string;
  /** HMAC of the identity form: what makes a content a duplicate within its place, namespace and kind. */
  readonly contentMac: Uint8Array;
  /** HMAC of the equality form: what makes a query equal to a content. */
  readonly matchMac: Uint8Array;
  readonly terms: readonly string[];
  readonly lexVersion: number;
  readonly importance?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly source: MemorySource;
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  /** When what it says is true; absent: always. */
  readonly validFrom?: Date;
  readonly validTo?: Date;
  /** Does not fade with age. */
  readonly evergreen?: boolean;
  /** Models that are to make vectors of it. */
  readonly modelIds: readonly string[];
}

/** Makes a write repeatable: the same key with the same request gives the first answer again. */
export interface Idempotency {
  /** Hash of who used the key and the key. */
  readonly key: string;
  readonly requestHash: string;
}

export type WriteOutcome = { readonly result: 'created' | 'duplicate' | 'replayed'; readonly id: string } | { readonly result: 'conflict' };

export interface StoredMemory {
  readonly id: string;
  readonly place: Place;
  readonly namespace: string;
  readonly kind: MemoryKind;
  readonly content: string;
  readonly importance?: number;
  readonly metadata?: Record<string, unknown>;
  readonly author?: string;
  readonly origin?: MemoryOrigin;
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  readonly validFrom?: Date;
  readonly validTo?: Date;
  readonly evergreen: boolean;
  /** 1, and one more with every update. */
  readonly rev: number;
  readonly supersededBy?: string;
  readonly supersededAt?: Date;
  readonly seenCount: number;
}

export type SupersedeOutcome =
  | { readonly result: 'created' | 'duplicate'; readonly id: string }
  | { readonly result: 'gone' }
  | { readonly result: 'superseded'; readonly by: string };

export interface MemoryWriter {
  /** One transaction: idempotency, the memory, the fact in the outbox. Durable and findable when it resolves. */
  write(tenant: string, memory: NewMemory, idempotency?: Idempotency): Promise<WriteOutcome>;
  /**
   * Replaces a living memory by a new one, in one transaction. `gone`: it was not there any more; `superseded`: somebody else was faster, `by`
   * whom is said; `duplicate`: what it would become is there already, and the old one now points to it.
   */
  supersede(tenant: string, id: string, next: NewMemory): Promise<SupersedeOutcome>;
  /** Makes a memory invisible and removes its content at once. False when it is not there (any more). */
  forget(tenant: string, id: string, at: Date): Promise<boolean>;
}

/** What all searches have in common. */
export interface SearchFilter {
  readonly visible: readonly Visible[];
  readonly namespace?: string;
  readonly kinds?: readonly MemoryKind[];
  readonly matchMac: Uint8Array;
  readonly now: Date;
  /** What was believed, and true, at this time; absent: now. */
  readonly asOf?: Date;
  readonly includeHistory: boolean;
  /** Keys that a memory's metadata must have, with these values. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Only memories with terms of this version; absent: all of a tenant that has no others. */
  readonly lexVersion?: number;
}

/** What a query looks like to one model's vectors. */
export interface QueryVector {
  readonly table: string;
  readonly vector: Float32Array;
  /** All vectors, or the index (for more rows than that pays for). */
  readonly scan: VectorScan;
}

export type VectorScan = 'exact' | 'hnsw';

/** One memory that a search looks at closer, with every signal from its own row, whichever arm found it. */
export interface Candidate {
  readonly id: string;
  readonly equal: boolean;
  /** Weight of the probes that it holds, in units of the probes' shares. */
  readonly evidence: number;
  /** Best cosine over its chunks; absent without a vector. */
  readonly cosine?: number;
  /** Ranks from 1 in the arm of words and of vectors; absent where it is not among the first 200. */
  readonly lexicalRank?: number;
  readonly vectorRank?: number;
  readonly createdAt: Date;
  readonly importance?: number;
  readonly evergreen: boolean;
}

export interface SearchHit extends StoredMemory {
  /** Positions of the probes that were found in it. */
  readonly found: readonly number[];
}

/** How much of what a search may see has a vector of the model. */
export interface VectorCoverage {
  /** Counted up to 10,001. */
  readonly visible: number;
  readonly embedded: number;
}

export interface ListPage {
  readonly after?: ListPosition;
  readonly limit: number;
  readonly includeHistory?: boolean;
}

export interface MemoryReader {
  /** The 200 best by words and the 200 best by vector. One statement. */
  candidates(tenant: string, filter: SearchFilter, probes: readonly Probe[], vector?: QueryVector): Promise<Candidate[]>;
  /** The newest 200 memories that literally contain `fragment`: for queries without terms. */
  candidatesByFragment(tenant: string, filter: SearchFilter, fragment: string): Promise<Candidate[]>;
  /** What is shown of the chosen ones, in that order; one that went meanwhile is missing. */
  hits(tenant: string, ids: readonly string[], probes: readonly Probe[], now: Date): Promise<SearchHit[]>;
  /** Vectors of the given memories, of their first chunk. */
  vectorsOf(tenant: string, table: string, ids: readonly string[]): Promise<Map<string, Float32Array>>;
  coverage(tenant: string, filter: SearchFilter, table: string): Promise<VectorCoverage>;
  get(tenant: string, id: string, now: Date): Promise<StoredMemory | undefined>;
  /** Newest first, behind `after`. */
  list(tenant: string, visible: Visible, now: Date, page: ListPage): Promise<StoredMemory[]>;
  count(tenant: string, now: Date): Promise<number>;
}

export interface TenantKeys {
  /** The tenant's own key for MACs, made at its first use. */
  macKey(tenant: string): Promise<Uint8Array>;
}

export type ModelState = 'building' | 'active' | 'retired';

export interface ModelRecord {
  readonly model: EmbeddingModel;
  readonly table: string;
  /** Cosine that unrelated memories reach; below it nothing counts. Absent: not calibrated yet. */
  readonly floor?: number;
  /** Vectors of fixed texts, as the model made them first. */
  readonly canary?: Uint8Array;
  readonly state: ModelState;
  /** There is an index, for scopes that are too large to look at every vector. */
  readonly indexed: boolean;
  /** Share of the ten nearest that the index finds, by tenant; absent: not measured. */
  readonly recalls: ReadonlyMap<string, IndexRecall>;
  readonly createdAt: Date;
}

export interface IndexRecall {
  readonly recall: number;
  readonly measuredAt: Date;
}

/** Which models there are, and the tables of their vectors. */
export interface ModelRegistry {
  /** Cached for two seconds, unless `fresh`. */
  models(fresh?: boolean): Promise<readonly ModelRecord[]>;
  /** Makes the table and the record; nothing happens when a model of that id, or another one in that state, is there. */
  register(model: EmbeddingModel, state: 'active' | 'building', at: Date): Promise<void>;
  calibrate(id: string, floor: number): Promise<void>;
  saveCanary(id: string, canary: Uint8Array): Promise<void>;
  /** Makes the one that was built the active one, in one transaction; the former is retired. */
  activate(id: string, at: Date): Promise<void>;
  /** Builds the index of a model's vectors without holding up anybody; where the database is PGlite nothing happens. */
  buildIndex(id: string): Promise<void>;
  dropIndex(id: string): Promise<void>;
  /** Measures how many of the nearest the index finds among the tenant's vectors, and keeps it. */
  measureIndex(id: string, tenant: string, at: Date): Promise<void>;
  /** Removes a model that is being built. */
  abandon(id: string): Promise<void>;
  dropRetired(before: Date): Promise<number>;
}

/** One memory that lacks vectors. */
export interface EmbeddingJob {
  readonly tenant: string;
  readonly memoryId: string;
  readonly rev: number;
}

export interface EmbeddingInput extends EmbeddingJob {
  readonly content: string;
  readonly contentMac: Uint8Array;
}

export interface EmbeddingStore {
  /** The living memory of a job, if it is still at that revision and has no vectors of this table yet. */
  input(job: EmbeddingJob, table: string): Promise<EmbeddingInput | undefined>;
  /** Stores vectors, one per chunk, only where revision and content are still the same and it lives. */
  store(input: EmbeddingInput, table: string, vectors: readonly Float32Array[]): Promise<boolean>;
  /** Notes that the model refuses this content. */
  fail(input: EmbeddingInput, modelId: string, reason: string, attempts: number, at: Date): Promise<void>;
  cached(tenant: string, modelId: string, macs: readonly Uint8Array[], at: Date): Promise<(Float32Array | undefined)[]>;
  cache(tenant: string, modelId: string, entries: readonly { readonly mac: Uint8Array; readonly vector: Float32Array }[], at: Date): Promise<void>;
  /** Living memories without a vector of the table that were written before `before`, in id order behind `after`; refused ones are left out. */
  missing(tenant: string, table: string, modelId: string, before: Date, page: { readonly after: string; readonly limit: number }): Promise<EmbeddingJob[]>;
  pending(tenant: string, table: string, modelId: string): Promise<{ readonly pending: number; readonly failed: number; readonly oldest?: Date }>;
  /** Living memories of a tenant that should have vectors. */
  count(tenant: string): Promise<number>;
  /** Vectors of random memories, for calibration. */
  sample(tenant: string, table: string, limit: number): Promise<Float32Array[]>;
  /** Keeps the newest `keep` cached vectors of a tenant. */
  pruneCache(tenant: string, keep: number): Promise<number>;
}

/** What the database can do beside text. */
export interface VectorSupport {
  readonly backend: 'pglite' | 'postgres';
  /** Whether pgvector could be used here. */
  vectorExtension(): Promise<boolean>;
}

export interface MemoryRetention {
  /** Tenants that have ever written. */
  tenants(): Promise<string[]>;
  /** Removes rows of one tenant that expired or were deleted before `before`, at most `limit`; returns how many. */
  sweepMemories(tenant: string, before: Date, limit: number): Promise<number>;
  /** Forgets idempotency keys and tombstones that nobody can need any more; returns how many. */
  sweepTraces(tenant: string, before: { readonly keys: Date; readonly tombstones: Date }, limit: number): Promise<number>;
}

export type { Scope };
