import { mkdir, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { PlexusError } from '../plexus-error.js';
import { isContinued, nameOfPieces, pathOfName } from './file-names.js';
import { ValueFolder } from './value-folder.js';
import {
  compareNames,
  decodeSnapshot,
  encodeSnapshot,
  entryOf,
  requireStateName,
  requireStateSize,
  requireStateText,
  restoredVersion,
  type StateEntry,
  type StateStore,
  type StateValue,
  type StateWriteOptions,
  versionConflict,
} from './state-store.js';

/** Each failed try means that another writer got through. */
const MAX_TRIES = 1_000;

/**
 * State in files: a folder per value, a file per version in it, which appears whole or not at all and survives a power cut. Several
 * processes may use one folder. Values have at most 16 MiB.
 *
 * `restore` replaces one value after the other: a crash in between leaves some as they were, and running it again completes it.
 */
export class FileState implements StateStore {
  #root: Promise<string> | undefined;

  /** `directory` is made when it is not there. */
  constructor(private readonly directory: string) {}

  async put(run: string, name: string, value: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, () => value, options);
  }

  async append(run: string, name: string, text: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, (before) => before + text, options);
  }

  async get(run: string, name: string): Promise<StateValue | undefined> {
    const folder = await this.#folder(run, name);
    const { version, value } = await folder.read();
    return value === undefined ? undefined : { ...entryOf(name, version, value), value };
  }

  async list(run: string, prefix = ''): Promise<StateEntry[]> {
    const values = await this.#values(run);
    return values.filter(({ name }) => name.startsWith(prefix)).map(({ name, version, value }) => entryOf(name, version, value));
  }

  async delete(run: string, name: string, { expectVersion }: StateWriteOptions = {}): Promise<boolean> {
    const folder = await this.#folder(run, name);
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const { version, value } = await folder.read();
      requireVersion(name, value === undefined ? 0 : version, expectVersion);
      if (value === undefined) return false;
      if (await folder.commit(version + 1, undefined)) return true;
    }
    throw contended(name);
  }

  async snapshot(run: string): Promise<string> {
    return encodeSnapshot(await this.#values(run));
  }

  async restore(run: string, snapshot: string): Promise<void> {
    const wanted = decodeSnapshot(snapshot);
    for (const { value } of wanted) requireStateSize(value);
    const names = new Set(wanted.map(({ name }) => name));
    for (const { name } of await this.#values(run)) if (!names.has(name)) await this.delete(run, name);
    for (const { name, version, value } of wanted) await this.#restoreOne(run, name, version, value);
  }

  async #restoreOne(run: string, name: string, wanted: number, value: string): Promise<void> {
    const folder = await this.#folder(run, name);
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const held = await folder.read();
      if (held.value === value && held.version === wanted) return;
      if (await folder.commit(restoredVersion(wanted, held.version), value, held.version + 1)) return;
    }
    throw contended(name);
  }

  async #write(run: string, name: string, next: (before: string) => string, { expectVersion }: StateWriteOptions): Promise<StateEntry> {
    const folder = await this.#folder(run, name);
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const { version, value } = await folder.read();
      requireVersion(name, value === undefined ? 0 : version, expectVersion);
      const written = next(value ?? '');
      requireStateText(written);
      requireStateSize(written);
      if (await folder.commit(version + 1, written)) return entryOf(name, version + 1, written);
    }
    throw contended(name);
  }

  async #folder(run: string, name: string): Promise<ValueFolder> {
    requireStateName('run', run);
    requireStateName('name', name);
    const root = await this.#openRoot();
    return new ValueFolder(root, path.join(root, pathOfName(run), pathOfName(name)));
  }

  async #values(run: string): Promise<{ readonly name: string; readonly version: number; readonly value: string }[]> {
    requireStateName('run', run);
    const root = await this.#openRoot();
    const base = path.join(root, pathOfName(run));
    const found: { name: string; version: number; value: string }[] = [];
    for (const pieces of await terminalFolders(base)) {
      const name = nameOfPieces(pieces);
      if (name === undefined) continue;
      const { version, value } = await new ValueFolder(root, path.join(base, ...pieces)).read();
      if (value !== undefined) found.push({ name, version, value });
    }
    return found.sort(compareNames);
  }

  /** Once, and with links resolved: what a value's folder is compared with. */
  #openRoot(): Promise<string> {
    this.#root ??= mkdir(this.directory, { recursive: true, mode: 0o700 }).then(() => realpath(this.directory));
    this.#root.catch(() => {
      this.#root = undefined; // the next call tries again
    });
    return this.#root;
  }
}

/** Pieces of every folder below `base` that holds a value. */
async function terminalFolders(base: string): Promise<string[][]> {
  const entries = await readdir(base, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found: string[][] = [];
  for (const entry of entries.filter((one) => one.isDirectory())) {
    if (!isContinued(entry.name)) found.push([entry.name]);
    else for (const rest of await terminalFolders(path.join(base, entry.name))) found.push([entry.name, ...rest]);
  }
  return found;
}

function requireVersion(name: string, actual: number, expected: number | undefined): void {
  if (expected !== undefined && expected !== actual) throw versionConflict(name, expected, actual);
}

function contended(name: string): PlexusError {
  return new PlexusError({ code: 'UNAVAILABLE', status: 503, retryable: true, message: 'Too many write this value at once.', details: { name } });
}
