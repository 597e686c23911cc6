import { closeSync, copyFileSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';

const MAX_BYTES = 4 * 1024 * 1024;
const TAIL_BYTES = 4_096;

/**
 * A log file of bounded size. Processes append to it directly, through the descriptor they inherit, so that their last words are in it even when the
 * launcher is gone. `trim` copies a file that has grown beyond 4 MiB to `<name>.1` (replacing an older one) and empties it; what a process
 * writes between the two is lost.
 */
export class RotatingLog {
  readonly descriptor: number;
  private open = true;

  constructor(
    readonly file: string,
    private readonly maxBytes = MAX_BYTES,
  ) {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    // Appending is what keeps several writers apart, and what makes them go on at the start after a trim.
    this.descriptor = openSync(file, 'a+', 0o600);
  }

  write(text: string): void {
    if (!this.open) return;
    try {
      writeSync(this.descriptor, text);
    } catch (error) {
      // A full disk must not take the launcher down with it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  trim(): void {
    if (!this.open || fstatSync(this.descriptor).size <= this.maxBytes) return;
    copyFileSync(this.file, `${this.file}.1`);
    ftruncateSync(this.descriptor, 0);
  }

  /** How much is in it now. */
  get size(): number {
    return this.open ? fstatSync(this.descriptor).size : 0;
  }

  /** The last lines, for an error message; with `from` only of what came behind that size. */
  tail(lines = 12, from = 0): string {
    if (!this.open) return '';
    const { size } = this;
    const buffer = Buffer.alloc(Math.min(TAIL_BYTES, Math.max(0, size - from)));
    readSync(this.descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  close(): void {
    if (this.open) closeSync(this.descriptor);
    this.open = false;
  }
}
