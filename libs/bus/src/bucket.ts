/** One entry of a bucket. */
export interface BucketEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Parses the value. Throws INVALID_JSON. */
  json<T = unknown>(): T;
  readonly revision: number;
}

/** A change seen by a watcher. `delete` also stands for entries that expired or vanished while the watcher was away. */
export type BucketChange =
  | { readonly kind: 'put'; readonly key: string; readonly entry: BucketEntry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision?: number };

export interface BucketWatch {
  stop(): Promise<void>;
  /** Settles when every entry that existed at the start was handed over. */
  readonly ready: Promise<void>;
}

/** Values are bytes, strings, or anything JSON can hold. */
export type BucketValue = Uint8Array | string | object | number | boolean;

/** A key-value bucket with compare-and-set. A lost race is an answer, not an error; failures are PlexusErrors. */
export interface Bucket {
  readonly name: string;
  get(key: string): Promise<BucketEntry | undefined>;
  /** Writes a key that does not exist (or was deleted). The revision, or undefined when the key exists. */
  create(key: string, value: BucketValue): Promise<number | undefined>;
  /** Writes when the key still has this revision. The new revision, or undefined when somebody else was faster. */
  update(key: string, value: BucketValue, revision: number): Promise<number | undefined>;
  /** Writes whatever is there. */
  put(key: string, value: BucketValue): Promise<number>;
  /** Deletes; with a revision only when the key still has it. False when somebody else was faster. */
  delete(key: string, revision?: number): Promise<boolean>;
  /** Calls `listener` for every entry that matches and then for every change, in order; re-lists after a reconnect, so that nothing is missed for good. */
  watch(pattern: string, listener: (change: BucketChange) => void | Promise<void>): BucketWatch;
  /** Keys that exist now. `pattern` as in a subject; default: all. */
  keys(pattern?: string): Promise<string[]>;
}
