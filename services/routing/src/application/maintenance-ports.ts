export interface StoredKey {
  readonly ref: number;
  readonly owner: string;
  readonly agentId: string;
  readonly sessionKey: string;
}

export interface ErasureRecord {
  readonly erasureId: string;
  readonly tenant: string;
  readonly user: string;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly expected: readonly string[];
  readonly receipts: readonly { readonly service: string; readonly counts: Record<string, number>; readonly problem?: string | undefined; readonly at: Date }[];
}

/** A party of a channel that is the person as well. */
export interface ChannelIdentity {
  /** Absent: on every channel. */
  readonly channel?: string | undefined;
  readonly id: string;
}

/** Housekeeping on the tables: nothing here is on the way of a message. */
export interface MaintenanceStore {
  storedKeys(tenant: string, page: { after: number; limit: number }): Promise<StoredKey[]>;
  /** Renames a session unless its owner has one of that key. `taken` then, `gone` when the session is no more. */
  renameKey(ref: number, to: string): Promise<'renamed' | 'taken' | 'gone'>;
  createErasure(record: Omit<ErasureRecord, 'requestedAt' | 'receipts'>): Promise<void>;
  findErasure(tenant: string, erasureId: string): Promise<ErasureRecord | undefined>;
  /** The last receipt of a service counts. */
  noteReceipt(erasureId: string, receipt: { service: string; counts: Record<string, number>; problem?: string | undefined }): Promise<void>;
  /** Ids of every incarnation of the owner's sessions, deleted ones included while the stream may hold events of them. */
  incarnations(tenant: string, owner: string): Promise<string[]>;
  /** Keys of the owner's sessions that nobody else in the tenant has, and the ids of the owner's sends. */
  ownMarks(tenant: string, owner: string): Promise<{ readonly sessionKeys: ReadonlySet<string>; readonly sendIds: ReadonlySet<string> }>;
  /** Removes everything that is kept of a person, and says how much of what. */
  eraseOwner(tenant: string, owner: string, identities: readonly ChannelIdentity[], sessionIds: readonly string[]): Promise<Record<string, number>>;
  /** A session of somebody who was erased whose events are to be purged once more; `last`: for the last time. */
  claimPurge(): Promise<{ tenant: string; sessionId: string; last: boolean } | undefined>;
  endPurge(sessionId: string): Promise<void>;
  /** Removes what is older than its time; days of 0 keep for ever. */
  prune(tenant: string, days: { transcripts: number; deliveries: number; inbound: number; attachments: number }): Promise<Record<string, number>>;
}
