import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

const MAX_BYTES = 4 * 1024 * 1024;
const TAIL_CHARACTERS = 4_096;

/**
 * A log file of bounded size: beyond 4 MiB the file becomes `<name>.1` (replacing an older one) and a new one begins. Remembers the last
 * 4 KiB for error messages. Writes are synchronous: what a crashing process said last is in the file.
 */
export class RotatingLog {
  private descriptor: number | undefined;
  private size = 0;
  private recent = '';

  constructor(
    readonly file: string,
    private readonly maxBytes = MAX_BYTES,
  ) {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    this.open();
  }

  write(text: string): void {
    if (this.descriptor === undefined) return;
    this.recent = (this.recent + text).slice(-TAIL_CHARACTERS);
    const bytes = Buffer.from(text);
    if (this.size > 0 && this.size + bytes.length > this.maxBytes) {
      this.close();
      renameSync(this.file, `${this.file}.1`);
      this.open();
    }
    try {
      this.size += writeSync(this.descriptor, bytes);
    } catch (error) {
      // A full disk must not take the launcher down with it; the tail in memory still has the text.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  /** The last lines written, for an error message. */
  tail(lines = 12): string {
    return this.recent.trimEnd().split('\n').slice(-lines).join('\n');
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private open(): void {
    this.descriptor = openSync(this.file, 'a', 0o600);
    this.size = statSync(this.file).size;
  }
}
