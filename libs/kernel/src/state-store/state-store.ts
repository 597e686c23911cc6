import { createHash } from 'node:crypto';
import { PlexusError } from '../plexus-error.js';
import { isStorableText } from '../safe-json.js';

/** What a listing shows of one value. */
export interface StateEntry {
  readonly name: string;
  /** 1 for the first write, and one more with every change, a deletion included: a version never comes back. */
  readonly version: number;
  /** Size in UTF-8. */
  readonly bytes: number;
  /** SHA-256 of the value's UTF-8, hexadecimal. */
  readonly hash: string;
}

export interface StateValue extends StateEntry {
  readonly value: string;
}

export interface StateWriteOptions {
  /** The write takes place only when the value has this version (0: when there is none), else it fails with CONFLICT. */
  readonly expectVersion?: number;
}

/**
 * Values of runs by name, with compare-and-set. Three backends keep the same promises (one conformance suite runs on all): in the context
 * of a conversation, in files, in Postgres.
 *
 * Fails with CONFLICT (another version than expected), VALUE_TOO_LARGE (more than the backend holds) and INVALID_REQUEST (names of 1 to 256
 * bytes without U+0000; well-formed Unicode).
 */
export interface StateStore {
  put(run: string, name: string, value: string, options?: StateWriteOptions): Promise<StateEntry>;
  /** Adds to the end of a value; without one it begins there. Of two at once neither is lost. */
  append(run: string, name: string, text: string, options?: StateWriteOptions): Promise<StateEntry>;
  get(run: string, name: string): Promise<StateValue | undefined>;
  /** Names that begin with `prefix`, in the order of their UTF-8 bytes. */
  list(run: string, prefix?: string): Promise<StateEntry[]>;
  /** False when there is no such value. */
  delete(run: string, name: string, options?: StateWriteOptions): Promise<boolean>;
  /** All values of a run as one text; equal runs give equal texts, whatever the backend. */
  snapshot(run: string): Promise<string>;
  /** Makes a run hold exactly what a snapshot says. A run that never had a value gets the same versions, too. */
  restore(run: string, snapshot: string): Promise<void>;
  /** Calls `onChange` after every change of the run made through this store; returns how to stop. */
  watch?(run: string, onChange: (change: StateChange) => void): () => void;
}

export interface StateChange {
  readonly name: string;
  readonly version: number;
  readonly deleted: boolean;
}

const MAX_NAME_BYTES = 256;
const SNAPSHOT_FORMAT = 'plexus-state/1';

/** Largest value of the backends that keep values outside of a conversation, in bytes of UTF-8. */
export const MAX_STATE_VALUE_BYTES = 16 * 1024 * 1024;

export function hashOfValue(value: string | Uint8Array): string {
  return createHash('sha256').update(value).digest('hex');
}

export function entryOf(name: string, version: number, value: string): StateEntry {
  return { name, version, bytes: Buffer.byteLength(value), hash: hashOfValue(value) };
}

/** Order of UTF-8 bytes: the same in JavaScript, in a file system and in Postgres. */
export function compareNames(a: { readonly name: string }, b: { readonly name: string }): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

export function requireStateName(what: 'run' | 'name', text: string): void {
  if (text !== '' && isStorableText(text) && Buffer.byteLength(text) <= MAX_NAME_BYTES) return;
  throw invalid(what, `must be 1 to ${MAX_NAME_BYTES} bytes of well-formed Unicode without U+0000`);
}

/** Half a surrogate pair would come back as another text. */
export function requireStateText(value: string): void {
  if (!/\p{Surrogate}/u.test(value)) return;
  throw invalid('value', 'must be well-formed Unicode');
}

export function requireStateSize(value: string, maxBytes = MAX_STATE_VALUE_BYTES): void {
  const bytes = Buffer.byteLength(value);
  if (bytes > maxBytes) throw valueTooLarge({ bytes, maxBytes });
}

export function valueTooLarge(details: Record<string, unknown>, hint = 'Keep it in parts.'): PlexusError {
  return new PlexusError({ code: 'VALUE_TOO_LARGE', status: 413, message: `The value is larger than this state backend holds. ${hint}`, details });
}

/** `actual` is 0 where there is no value. */
export function versionConflict(name: string, expected: number, actual: number): PlexusError {
  const message = 'The value has another version than expected; read it again and decide anew.';
  return new PlexusError({ code: 'CONFLICT', status: 409, message, details: { name, expected, actual } });
}

function invalid(path: string, message: string): PlexusError {
  return new PlexusError({ code: 'INVALID_REQUEST', status: 400, message: `${path} ${message}.`, details: { issues: [{ path, message }] } });
}

interface SnapshotValue {
  readonly name: string;
  readonly version: number;
  readonly value: string;
}

export function encodeSnapshot(values: readonly SnapshotValue[]): string {
  const sorted = [...values].sort(compareNames).map(({ name, version, value }) => ({ name, version, value }));
  return JSON.stringify({ format: SNAPSHOT_FORMAT, values: sorted });
}

/** Fails with INVALID_REQUEST for anything that {@link encodeSnapshot} did not write. */
export function decodeSnapshot(snapshot: string): SnapshotValue[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(snapshot);
  } catch {
    throw invalid('snapshot', 'must be a snapshot of a state store'); // JSON's own words would quote the content
  }
  const { format, values } = (parsed ?? {}) as { format?: unknown; values?: unknown };
  if (format !== SNAPSHOT_FORMAT || !Array.isArray(values)) throw invalid('snapshot', `must be of the format ${SNAPSHOT_FORMAT}`);
  const names = new Set<string>();
  return values.map((one: unknown) => {
    const { name, version, value } = (one ?? {}) as Partial<Record<keyof SnapshotValue, unknown>>;
    if (typeof name !== 'string' || typeof value !== 'string' || !Number.isSafeInteger(version) || (version as number) < 1 || names.has(name)) {
      throw invalid('snapshot', 'must hold each name once, with a version and a value');
    }
    requireStateName('name', name);
    requireStateText(value);
    names.add(name);
    return { name, version: version as number, value };
  });
}

/** Version of a restored value: the snapshot's, unless the run has had that name; versions never go back. `had` is the last one, a deletion's included. */
export function restoredVersion(wanted: number, had: number): number {
  return had === 0 ? wanted : Math.max(wanted, had + 1);
}
