import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Checkpoint, type CheckpointStore, readCheckpoint } from '../../application/loop/checkpoint.js';
import type { Log } from '../../application/ports.js';

const NAME = /^(\d{10})\.json$/;
const BESIDE = /^\d{10}\.json\.tmp$/;

/**
 * The checkpoints of one session as numbered files. Each is written beside its place, synced and renamed: a crash at any point leaves the
 * ones before it as they were. A file that cannot be read is passed over for the one before.
 */
export class CheckpointFiles implements CheckpointStore {
  private last: number | undefined;
  private saving: Promise<void> = Promise.resolve();

  constructor(
    private readonly folder: string,
    private readonly log: Log,
    private readonly keep = 10,
  ) {}

  save(checkpoint: Checkpoint): Promise<void> {
    const text = JSON.stringify(checkpoint);
    const saved = this.saving.then(() => this.write(text));
    // The next one does not care how this one went; whoever waits for this one is told.
    this.saving = saved.catch(() => undefined);
    return saved;
  }

  async newest(): Promise<Checkpoint | undefined> {
    const names = (await this.names()).reverse();
    for (const name of names) {
      const checkpoint = await this.read(name);
      if (checkpoint) return checkpoint;
      this.log('warn', 'a checkpoint cannot be read, the one before it is taken', { file: name });
    }
    return undefined;
  }

  private async read(name: string): Promise<Checkpoint | undefined> {
    try {
      const text = await readFile(path.join(this.folder, name), 'utf8');
      const body = text.slice(sealed('').length - 1, -1);
      // The hash says that the file is what was written: it may hold whatever a tool was given or returned.
      return text === sealed(body) ? readCheckpoint(JSON.parse(body)) : undefined;
    } catch (error) {
      this.log('warn', 'a checkpoint cannot be opened', { file: name, error });
      return undefined;
    }
  }

  private async write(text: string): Promise<void> {
    this.last ??= await this.prepare();
    const name = `${String(++this.last).padStart(10, '0')}.json`;
    const beside = path.join(this.folder, `${name}.tmp`);
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(sealed(text));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path.join(this.folder, name));
    await this.syncFolder();
    await this.prune();
  }

  /** The highest number so far. What an earlier process had begun to write is removed. */
  private async prepare(): Promise<number> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.folder)) if (BESIDE.test(name)) await rm(path.join(this.folder, name), { force: true });
    return Number(NAME.exec((await this.names()).at(-1) ?? '')?.[1] ?? 0);
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

  private async prune(): Promise<void> {
    for (const name of (await this.names()).slice(0, -this.keep)) await rm(path.join(this.folder, name), { force: true });
  }

  /** Oldest first. */
  private async names(): Promise<string[]> {
    try {
      return (await readdir(this.folder)).filter((name) => NAME.test(name)).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }
}

const sealed = (body: string): string => `{"sha256":"${createHash('sha256').update(body).digest('hex')}","checkpoint":${body}}`;
