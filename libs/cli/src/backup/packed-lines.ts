import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import path from 'node:path';
import { PassThrough, pipeline as connect, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { DumpLine } from '@plexus/database';

/** A file of a backup: its name in the folder, its length and digest. */
export interface FileSum {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file that is written once, and summed up while it is. Nobody else may read it (0600). */
export class SummedFile {
  private readonly hash = createHash('sha256');
  private readonly entry: PassThrough;
  private readonly done: Promise<void>;
  private bytes = 0;

  constructor(
    folder: string,
    private readonly file: string,
    { packed = false }: { readonly packed?: boolean } = {},
  ) {
    const target = createWriteStream(path.join(folder, file), { mode: 0o600, flags: 'wx' });
    this.entry = new PassThrough();
    const counted = new PassThrough();
    counted.on('data', (chunk: Uint8Array) => {
      this.hash.update(chunk);
      this.bytes += chunk.length;
    });
    this.done = packed ? pipeline(this.entry, createGzip({ level: 6 }), counted, target) : pipeline(this.entry, counted, target);
    // Whoever writes next, or ends, is told; until then it must not count as unhandled.
    this.done.catch(() => undefined);
  }

  async write(data: Uint8Array | string): Promise<void> {
    const target: Writable = this.entry;
    // A full disk ends the pipeline instead of draining it.
    if (!target.write(data)) await Promise.race([once(target, 'drain'), this.done]);
  }

  /** Ends the file and says what is in it. */
  async end(): Promise<FileSum> {
    this.entry.end();
    await this.done;
    return { file: this.file, bytes: this.bytes, sha256: this.hash.digest('hex') };
  }
}

/** What {@link SummedFile.end} would have said of this file. */
export async function sumOf(target: string, file: string): Promise<FileSum> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(target)) {
    hash.update(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
  }
  return { file, bytes, sha256: hash.digest('hex') };
}

/**
 * The lines of a packed dump. A line ends at a line feed and nowhere else: `readline` would also end it at U+2028 and U+2029, which JSON leaves as they are
 * and people write. Throws when the file cannot be read or is cut off.
 */
export async function* readPackedLines(file: string): AsyncGenerator<DumpLine> {
  const unpacked = createGunzip().setEncoding('utf8');
  // What fails before it ends this stream too, and the loop throws it.
  connect(createReadStream(file), unpacked, () => undefined);
  let parts: string[] = [];
  for await (const chunk of unpacked as AsyncIterable<string>) {
    const [first = '', ...others] = chunk.split('\n');
    parts.push(first);
    for (const next of others) {
      yield JSON.parse(parts.join('')) as DumpLine;
      parts = [next];
    }
  }
  const rest = parts.join('');
  if (rest !== '') throw new Error(`${path.basename(file)} ends in the middle of a line`);
}
