import type { memoryArchiveContracts } from '@plexus/contracts';
import type { Place, Scope, Visible } from '../domain/access.js';
import type { MemoryKind, MemorySource } from './ports.js';

/** What export, import and purge need from the world; `src/adapters` provides it. */

export type ArchivedMemory = memoryArchiveContracts.ArchivedMemory;

/** Everything of a person (own scope, sessions, what they wrote for others), or everything of one scope. */
export type Extent = { readonly user: string } | { readonly scope: Visible };

export interface MemoryArchive {
  /** Living memories and their history as they were at `asOf`, in the order of ids behind `after`. */
  page(tenant: string, extent: Extent, at: { readonly now: Date; readonly asOf: Date }, after: string, limit: number): Promise<ArchivedMemory[]>;
}

/** A memory that waits for the rest of its import. */
export interface StagedMemory {
  /** Position of its line in the file. */
  readonly position: number;
  /** As it stood in the file, for the check. */
  readonly line: string;
  readonly id: string;
  readonly place: Place;
  readonly namespace: string;
  readonly kind: MemoryKind;
  readonly content: string;
  readonly contentMac: Uint8Array;
  readonly matchMac: Uint8Array;
  readonly terms: readonly string[];
  readonly lexVersion: number;
  readonly importance?: number;
  readonly source: MemorySource;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  readonly validFrom?: Date;
  readonly validTo?: Date;
  readonly evergreen: boolean;
  readonly rev: number;
  readonly rootId?: string;
  readonly supersededBy?: string;
  readonly supersededAt?: Date;
  readonly seenCount: number;
}

export interface ImportCounts {
  readonly created: number;
  readonly present: number;
  readonly expired: number;
}

export interface ImportStage {
  /** Keeps lines where nobody finds them; a position that was there is replaced. Returns how many lines of the import are there now. */
  stage(tenant: string, importId: string, memories: readonly StagedMemory[], at: Date): Promise<number>;
  /** Lines in order behind a position. */
  lines(tenant: string, importId: string, after: number, limit: number): Promise<{ readonly position: number; readonly line: string }[]>;
  /** Makes all of them memories in one transaction, and notes the outcome. Ids and contents that are there stay as they are. */
  commit(tenant: string, importId: string, sha256: string, now: Date): Promise<ImportCounts>;
  /** What became of an import that was committed. */
  result(tenant: string, importId: string): Promise<(ImportCounts & { readonly sha256: string }) | undefined>;
  discard(tenant: string, importId: string): Promise<void>;
  /** Forgets what nobody finished, and old results. */
  sweep(tenant: string, before: { readonly staged: Date; readonly results: Date }): Promise<number>;
}

/** Rows that a purge removed, by kind. */
export type PurgeCounts = Readonly<Record<string, number>>;

export interface PurgedBatch {
  readonly counts: PurgeCounts;
  readonly removed: number;
  /** Scopes that the memories were of. */
  readonly scopes: readonly Scope[];
}

export interface MemoryPurger {
  /** Removes up to `limit` memories of the extent and leaves their tombstones. */
  memories(tenant: string, extent: Extent, at: Date, limit: number): Promise<PurgedBatch>;
  /** What memories would be made of again: messages of sessions and staged imports; and state of runs. */
  sources(tenant: string, extent: Extent): Promise<PurgeCounts>;
  /** What was derived from memories and does not go with them. */
  caches(tenant: string): Promise<PurgeCounts>;
}

/** Writes that were acknowledged to their publisher and not carried out yet. */
export interface WaitingWrites {
  /** Removes those of a scope, with `user` only that user's: others write there, too. Returns how many there were. */
  purge(tenant: string, scope: Scope, user?: string): Promise<number>;
}
