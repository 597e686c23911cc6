import {
  compareNames,
  decodeSnapshot,
  encodeSnapshot,
  entryOf,
  requireStateName,
  requireStateText,
  restoredVersion,
  type StateChange,
  type StateEntry,
  type StateStore,
  type StateValue,
  type StateWriteOptions,
  valueTooLarge,
  versionConflict,
} from './state-store.js';

/** Values up to here stand in the conversation word for word. */
export const INLINE_CHARS = 2_000;
/** The largest value: above {@link INLINE_CHARS} only its beginning and end are shown. */
export const MAX_IN_CONTEXT_CHARS = 8_000;
const SHOWN_HEAD = 1_400;
const SHOWN_TAIL = 400;

/** One value as a conversation shows it. */
export interface NarratedValue extends StateEntry {
  readonly text: string;
  /** The text is not the whole value; its hash is. */
  readonly truncated: boolean;
}

interface Held {
  readonly version: number;
  /** Undefined: deleted; the version is remembered. */
  readonly value?: string;
}

/**
 * State that lives in a conversation: small, readable by the model, gone with it. `snapshot` is how it outlives the process. Values have at
 * most 8,000 characters (VALUE_TOO_LARGE names the other backends).
 */
export class InContextState implements StateStore {
  readonly #runs = new Map<string, Map<string, Held>>();
  readonly #watchers = new Map<string, Set<(change: StateChange) => void>>();

  async put(run: string, name: string, value: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, () => value, options);
  }

  async append(run: string, name: string, text: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, (before) => before + text, options);
  }

  async get(run: string, name: string): Promise<StateValue | undefined> {
    requireBoth(run, name);
    const { version, value } = this.#held(run, name);
    return value === undefined ? undefined : { ...entryOf(name, version, value), value };
  }

  async list(run: string, prefix = ''): Promise<StateEntry[]> {
    return this.#values(run)
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, version, value }) => entryOf(name, version, value));
  }

  async delete(run: string, name: string, { expectVersion }: StateWriteOptions = {}): Promise<boolean> {
    requireBoth(run, name);
    const { version, value } = this.#held(run, name);
    requireVersion(name, value === undefined ? 0 : version, expectVersion);
    if (value === undefined) return false;
    this.#set(run, name, { version: version + 1 });
    return true;
  }

  async snapshot(run: string): Promise<string> {
    return encodeSnapshot(this.#values(run));
  }

  async restore(run: string, snapshot: string): Promise<void> {
    requireStateName('run', run);
    const wanted = decodeSnapshot(snapshot);
    for (const { value } of wanted) requireFits(value);
    const names = new Set(wanted.map(({ name }) => name));
    for (const { name, version } of this.#values(run)) if (!names.has(name)) this.#set(run, name, { version: version + 1 });
    for (const { name, version, value } of wanted) {
      const held = this.#held(run, name);
      if (held.value === value && held.version === version) continue;
      this.#set(run, name, { version: restoredVersion(version, held.version), value });
    }
  }

  watch(run: string, onChange: (change: StateChange) => void): () => void {
    const watchers = this.#watchers.get(run) ?? new Set();
    this.#watchers.set(run, watchers.add(onChange));
    return () => {
      watchers.delete(onChange);
      if (watchers.size === 0) this.#watchers.delete(run);
    };
  }

  /** The values of a run as they stand in the conversation: up to 2,000 characters word for word, longer ones by beginning and end, marked. */
  narrate(run: string): NarratedValue[] {
    return this.#values(run).map(({ name, version, value }) => ({ ...entryOf(name, version, value), ...shown(value) }));
  }

  #write(run: string, name: string, next: (before: string) => string, { expectVersion }: StateWriteOptions): StateEntry {
    requireBoth(run, name);
    const { version, value } = this.#held(run, name);
    requireVersion(name, value === undefined ? 0 : version, expectVersion);
    const written = next(value ?? '');
    requireStateText(written);
    requireFits(written);
    this.#set(run, name, { version: version + 1, value: written });
    return entryOf(name, version + 1, written);
  }

  #held(run: string, name: string): Held {
    return this.#runs.get(run)?.get(name) ?? { version: 0 };
  }

  #set(run: string, name: string, held: Held): void {
    const values = this.#runs.get(run) ?? new Map<string, Held>();
    this.#runs.set(run, values.set(name, held));
    for (const onChange of [...(this.#watchers.get(run) ?? [])]) onChange({ name, version: held.version, deleted: held.value === undefined });
  }

  #values(run: string): { readonly name: string; readonly version: number; readonly value: string }[] {
    requireStateName('run', run);
    return [...(this.#runs.get(run) ?? [])].flatMap(([name, { version, value }]) => (value === undefined ? [] : [{ name, version, value }])).sort(compareNames);
  }
}

function requireBoth(run: string, name: string): void {
  requireStateName('run', run);
  requireStateName('name', name);
}

function requireVersion(name: string, actual: number, expected: number | undefined): void {
  if (expected !== undefined && expected !== actual) throw versionConflict(name, expected, actual);
}

function requireFits(value: string): void {
  if (value.length <= MAX_IN_CONTEXT_CHARS) return;
  throw valueTooLarge({ chars: value.length, maxChars: MAX_IN_CONTEXT_CHARS }, 'Keep it in the file system or in Postgres.');
}

function shown(value: string): { readonly text: string; readonly truncated: boolean } {
  if (value.length <= INLINE_CHARS) return { text: value, truncated: false };
  // Cut between characters: half a surrogate pair is no text.
  const head = value.slice(0, SHOWN_HEAD).replace(/[\ud800-\udbff]$/, '');
  const tail = value.slice(-SHOWN_TAIL).replace(/^[\udc00-\udfff]/, '');
  return { text: `${head}\n[… ${value.length - head.length - tail.length} characters left out …]\n${tail}`, truncated: true };
}
