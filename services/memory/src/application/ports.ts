import type { memoryContracts } from '@plexus/contracts';
import type { z } from 'zod';
import type { Place, Scope, Visible } from '../domain/access.js';
import type { Probe } from '../domain/evidence.js';
import type { ListPosition } from '../domain/list-cursor.js';

/** What the use cases need from the world; `src/adapters` provides it. Every call names its tenant and sees nothing of another. */

export type MemoryKind = z.infer<typeof memoryContracts.MemoryKind>;

/** Where a memory came from, kept with it. */
export interface MemorySource {
  readonly user?: string;
  readonly credential: string;
}

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
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  readonly seenCount: number;
}

export interface MemoryWriter {
  /** One transaction: idempotency, the memory, the fact in the outbox. Durable and findable when it resolves. */
  write(tenant: string, memory: NewMemory, idempotency?: Idempotency): Promise<WriteOutcome>;
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
  readonly limit: number;
}

export interface SearchHit extends StoredMemory {
  /** Equal to the query after normalisation. */
  readonly equal: boolean;
  /** Positions of the probes that were found in it. */
  readonly found: readonly number[];
}

export interface MemoryReader {
  /** The best memories that hold any probe or equal the query: equal ones first, then by evidence, then newer first. */
  searchByTerms(tenant: string, filter: SearchFilter, probes: readonly Probe[]): Promise<SearchHit[]>;
  /** Memories that literally contain `fragment`: for queries without terms. */
  searchByFragment(tenant: string, filter: SearchFilter, fragment: string): Promise<SearchHit[]>;
  get(tenant: string, id: string, now: Date): Promise<StoredMemory | undefined>;
  /** Newest first, behind `after`. */
  list(tenant: string, visible: Visible, now: Date, page: { readonly after?: ListPosition; readonly limit: number }): Promise<StoredMemory[]>;
  count(tenant: string, now: Date): Promise<number>;
}

export interface TenantKeys {
  /** The tenant's own key for MACs, made at its first use. */
  macKey(tenant: string): Promise<Uint8Array>;
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
