import { createHash } from 'node:crypto';
import { ArchiveManifest } from './memory-archive.contracts.js';

/** A page of lines leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 700 * 1_024;
const MAX_PAGE_LINES = 250;

/** The digest of an export: of its lines, each with its line feed, as `sha256sum` counts it. */
export class ArchiveDigest {
  readonly #hash = createHash('sha256');
  #lines = 0;

  add(line: string): void {
    this.#hash.update(line).update('\n');
    this.#lines += 1;
  }

  /** How many lines there were. */
  get lines(): number {
    return this.#lines;
  }

  /** The manifest of these lines; nothing can be added any more. */
  manifest(asOf: string): ArchiveManifest {
    return { format: 'plexus-memory', version: 1, memories: this.#lines, sha256: this.#hash.digest('hex'), asOf };
  }
}

/** The last line of an export. */
export function manifestLine(manifest: ArchiveManifest): string {
  return JSON.stringify({ manifest });
}

/** The manifest, when a line is one: memories never begin like this. Undefined for every other line, a damaged manifest included. */
export function readManifestLine(line: string): ArchiveManifest | undefined {
  if (!line.startsWith('{"manifest":')) return undefined;
  try {
    const parsed = ArchiveManifest.safeParse((JSON.parse(line) as { manifest: unknown }).manifest);
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // cut off in the middle: no manifest, so the file is not whole
  }
}

/** Beginning of `lines` that fits one message, but at least one line: inside JSON a line takes more than it is long. */
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

/** Groups the lines of a file into pages for the import, with the position of the first. Empty lines are left out. */
export async function* pagesOfLines(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<{ readonly from: number; readonly lines: string[] }> {
  let from = 0;
  let page: string[] = [];
  let bytes = 0;
  for await (const line of lines) {
    if (line === '') continue;
    const size = Buffer.byteLength(JSON.stringify(line)) + 1;
    if (page.length > 0 && (bytes + size > MAX_PAGE_BYTES || page.length >= MAX_PAGE_LINES)) {
      yield { from, lines: page };
      from += page.length;
      page = [];
      bytes = 0;
    }
    page.push(line);
    bytes += size;
  }
  if (page.length > 0) yield { from, lines: page };
}
