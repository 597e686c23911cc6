import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { SessionFiles } from '../../application/context/index.js';

const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** Small text files of one folder, each replaced as a whole: written beside its place, synced, renamed. */
export class MemoryFolder implements SessionFiles {
  private prepared: Promise<void> | undefined;

  constructor(private readonly folder: string) {}

  async read(name: string, maxBytes: number): Promise<string | undefined> {
    const file = await this.openToRead(name);
    if (file === undefined) return undefined;
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error(`${name} is no file`);
      if (stat.size > maxBytes) throw new RangeError(`${name} has ${stat.size} bytes, at most ${maxBytes} are read`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  }

  async write(name: string, text: string): Promise<void> {
    this.prepared ??= this.prepare();
    try {
      await this.prepared;
    } catch (error) {
      this.prepared = undefined;
      throw error;
    }
    const beside = path.join(this.folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`);
    try {
      const file = await open(beside, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, path.join(this.folder, name));
    } catch (error) {
      // What was begun must not stay; the error that matters is the first one.
      await rm(beside, { force: true }).catch(() => undefined);
      throw error;
    }
    await this.syncFolder();
  }

  private async openToRead(name: string) {
    try {
      // Not waiting for a writer, should somebody have put a pipe there.
      return await open(path.join(this.folder, name), constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** What a killed process left behind is of no use to anybody. */
  private async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.folder)) if (TEMPORARY.test(name)) await rm(path.join(this.folder, name), { force: true });
  }

  /** Without it a power failure may forget the rename. */
  private async syncFolder(): Promise<void> {
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
