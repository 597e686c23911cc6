import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { PlexusError } from '../plexus-error.js';

/**
 * Numbers of the last versions stay taken, by empty files. A writer that was stopped for a while can therefore tell whether the number it
 * took was free all the time, unless so many versions were written meanwhile.
 */
const GUARDED = 8;
const MAX_READS = 1_000;
const TEMPORARY = 'tmp-';
/** No write takes that long. */
const ABANDONED_MS = 60 * 60 * 1_000;

export interface HeldVersion {
  /** 0: never written. */
  readonly version: number;
  /** Undefined: deleted, or never written. */
  readonly value?: string;
}

/**
 * The versions of one value: `v<N>` is a file with the value, or an empty folder where it was deleted; the highest number counts. A number is
 * taken by `link` or `mkdir`, which fail when somebody has it already: that is the compare-and-set, between processes as well.
 */
export class ValueFolder {
  constructor(
    private readonly root: string,
    private readonly folder: string,
  ) {}

  async read(): Promise<HeldVersion> {
    for (let attempt = 0; attempt < MAX_READS; attempt += 1) {
      const newest = (await this.#versions()).at(-1);
      if (newest === undefined) return { version: 0 };
      if (newest.deleted) return { version: newest.version };
      await this.#requireInside();
      const value = await this.#content(newest.version);
      // Gone, or emptied as a guard: there is a newer one by now.
      const moved = value === undefined || (value === '' && (await this.#versions()).at(-1)?.version !== newest.version);
      if (!moved) return { version: newest.version, value: value as string };
    }
    throw new PlexusError({ code: 'UNAVAILABLE', status: 503, retryable: true, message: 'The value changes faster than it can be read.' });
  }

  /**
   * Makes `value` (undefined: the deletion) the version of that number; false when somebody else has taken it. `firstSkipped` is the lowest of
   * the numbers that are left out below it.
   */
  async commit(version: number, value: string | undefined, firstSkipped = version): Promise<boolean> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.#requireInside();
    const taken = value === undefined ? await this.#takeByFolder(version) : await this.#takeByFile(version, value);
    if (!taken) return false;
    await sync(this.folder);
    const newest = (await this.#versions()).at(-1)?.version ?? version;
    if (newest >= version + GUARDED) {
      const message = 'Many others wrote this value meanwhile; read it again and decide anew.';
      throw new PlexusError({ code: 'CONFLICT', status: 409, message, details: { expected: version - 1, actual: newest } });
    }
    await this.#tidy(version, firstSkipped);
    return true;
  }

  async #takeByFile(version: number, value: string): Promise<boolean> {
    const temporary = await this.#temporary(value);
    try {
      return await taken(link(temporary, this.#file(version)));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  #takeByFolder(version: number): Promise<boolean> {
    return taken(mkdir(this.#file(version), { mode: 0o700 }));
  }

  /** The versions before need no content any more; their numbers stay taken for a while. Lowest first: what is missing is missing from below. */
  async #tidy(newest: number, firstSkipped: number): Promise<void> {
    for (const { version, deleted } of await this.#versions()) {
      if (version <= newest - GUARDED) await (deleted ? rmdir(this.#file(version)) : rm(this.#file(version), { force: true })).catch(ignoreMissing);
      else if (version === newest - 1 && !deleted) await rename(await this.#temporary(''), this.#file(version));
    }
    await this.#forgetTemporaries();
    for (let version = Math.max(firstSkipped, newest - GUARDED + 1); version < newest; version += 1) await this.#takeByFile(version, '');
  }

  /** What a writer that was killed has left. */
  async #forgetTemporaries(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (!name.startsWith(TEMPORARY)) continue;
      const found = await stat(path.join(this.folder, name)).catch(ignoreMissing);
      if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path.join(this.folder, name), { force: true });
    }
  }

  async #temporary(value: string): Promise<string> {
    const file = path.join(this.folder, TEMPORARY + randomBytes(8).toString('hex'));
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(value);
      if (value !== '') await handle.sync();
    } finally {
      await handle.close();
    }
    return file;
  }

  async #content(version: number): Promise<string | undefined> {
    // A link in place of a file is not followed: it may lead anywhere.
    const handle = await open(this.#file(version), constants.O_RDONLY | constants.O_NOFOLLOW).catch(ignoreMissing);
    if (handle === undefined) return undefined;
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  }

  /** Lowest first. */
  async #versions(): Promise<{ readonly version: number; readonly deleted: boolean }[]> {
    const entries = (await readdir(this.folder, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
    return entries
      .flatMap((entry) => {
        const number = /^v([1-9][0-9]{0,14})$/.exec(entry.name)?.[1];
        return number === undefined ? [] : [{ version: Number(number), deleted: entry.isDirectory() }];
      })
      .sort((a, b) => a.version - b.version);
  }

  /** Names cannot lead out of the root, but somebody may have put a link into it. */
  async #requireInside(): Promise<void> {
    const real = await realpath(this.folder);
    if (real.startsWith(this.root + path.sep)) return;
    throw new PlexusError({ code: 'FORBIDDEN', status: 403, message: 'A link leads out of the folder of this state.' });
  }

  #file(version: number): string {
    return path.join(this.folder, `v${version}`);
  }
}

async function taken(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

/** A name in a folder survives a power cut only when the folder was written, too. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
