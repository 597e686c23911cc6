import { createHash } from 'node:crypto';
import type { memoryArchiveContracts } from '@plexus/contracts';
import { stableStringify } from '@plexus/kernel';

type ArchivedMemory = memoryArchiveContracts.ArchivedMemory;

/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 700 * 1_024;

/** The line of a memory: the same text for the same memory, wherever it is written. */
export function archiveLine(memory: ArchivedMemory): string {
  return stableStringify(memory);
}

/** As many lines as fit one message, but at least one: inside JSON a line takes more than it is long. */
export function fittingLines(lines: readonly string[]): string[] {
  const page: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    bytes += Buffer.byteLength(JSON.stringify(line)) + 1;
    if (page.length > 0 && bytes > MAX_PAGE_BYTES) break;
    page.push(line);
  }
  return page;
}

/** The digest of a file: of its lines, each with its line feed, as `sha256sum` counts it. */
export class ArchiveDigest {
  readonly #hash = createHash('sha256');
  #lines = 0;

  add(line: string): void {
    this.#hash.update(line).update('\n');
    this.#lines += 1;
  }

  get lines(): number {
    return this.#lines;
  }

  /** Ends it; nothing can be added any more. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}
