import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';

/** The file `<name>.jsonl` and, once that is full, `<name>.previous.jsonl`: never more than two of at most `maxBytes` plus one batch. */
export class RotatingFile {
  readonly current: string;
  readonly previous: string;
  private size: number | undefined;

  constructor(
    private readonly directory: string,
    name: string,
    private readonly maxBytes: number,
  ) {
    this.current = path.join(directory, `${name}.jsonl`);
    this.previous = path.join(directory, `${name}.previous.jsonl`);
  }

  /** Appends without blocking. One call at a time. Rejects when the file system refuses; the next call starts afresh. */
  async append(text: string): Promise<void> {
    try {
      if (this.size === undefined) {
        await mkdir(this.directory, { recursive: true, mode: 0o700 });
        this.size = (await stat(this.current).catch(absent))?.size ?? 0;
      }
      if (this.size > 0 && this.size + text.length > this.maxBytes) {
        await rename(this.current, this.previous);
        this.size = 0;
      }
      await appendFile(this.current, text, { mode: 0o600 });
      this.size += Buffer.byteLength(text);
    } catch (error) {
      this.size = undefined;
      throw error;
    }
  }

  /** The same at the very end of a process, when nothing asynchronous runs any more. */
  appendSync(text: string): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const size = statSync(this.current, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && size + text.length > this.maxBytes) renameSync(this.current, this.previous);
    appendFileSync(this.current, text, { mode: 0o600 });
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/**
 * Removes the files that ended processes of one service left, except the newest `keep`: each restart has a new pid, and the
 * folder must not grow with them. Files of living processes stay.
 */
export function removeFilesOfEndedProcesses(directory: string, service: string, keep: number): void {
  const left: { file: string; modified: number }[] = [];
  for (const file of namesIn(directory)) {
    const pid = file.startsWith(`${service}-`) ? /^(\d+)(\.previous)?\.jsonl$/.exec(file.slice(service.length + 1))?.[1] : undefined;
    if (pid === undefined || isAlive(Number(pid))) continue;
    const full = path.join(directory, file);
    left.push({ file: full, modified: statSync(full, { throwIfNoEntry: false })?.mtimeMs ?? 0 });
  }
  for (const { file } of left.sort((a, b) => b.modified - a.modified).slice(keep)) rmSync(file, { force: true });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Not there yet, or not to be read: writing will say so, and only tidying up is left undone.
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
