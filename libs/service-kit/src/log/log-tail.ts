/** What {@link LogTail.read} found. */
export interface LogPage {
  /** Where the next read goes on: bytes written since the start of the process. */
  readonly cursor: number;
  /** Bytes that are kept. */
  readonly size: number;
  /** Oldest first, without line ends. */
  readonly lines: readonly string[];
  /** There were more than asked for. */
  readonly truncated: boolean;
  /** Lines behind the given cursor are gone: the page begins with the oldest that is kept. */
  readonly reset: boolean;
}

interface Line {
  readonly text: string;
  /** Position behind it. */
  readonly end: number;
}

/** The newest lines that a process logged, for people who ask it over its own interface. Bounded in bytes; the oldest make room. */
export class LogTail {
  private readonly lines: Line[] = [];
  private size = 0;
  private end = 0;

  constructor(private readonly maxBytes = 512 * 1024) {}

  note(line: string): void {
    const text = line.endsWith('\n') ? line.slice(0, -1) : line;
    const bytes = Buffer.byteLength(text) + 1;
    this.end += bytes;
    this.size += bytes;
    this.lines.push({ text, end: this.end });
    while (this.size > this.maxBytes && this.lines.length > 1) this.size -= Buffer.byteLength((this.lines.shift() as Line).text) + 1;
  }

  /** What came behind `cursor`, at most `limit` lines and `maxBytes`; without a cursor (or with one of another process) the newest. */
  read(selection: { readonly cursor?: number; readonly limit: number; readonly maxBytes: number }): LogPage {
    const { cursor, limit, maxBytes } = selection;
    const known = cursor !== undefined && cursor <= this.end;
    const behind = known ? this.lines.filter(({ end }) => end > cursor) : this.lines;
    const oldest = this.lines[0];
    const start = oldest === undefined ? this.end : oldest.end - Buffer.byteLength(oldest.text) - 1;
    // Forwards from a cursor, backwards from the end: either way no line is left out in the middle.
    const page = known ? fitting(behind, limit, maxBytes) : fitting([...behind].reverse(), limit, maxBytes).reverse();
    return {
      cursor: known ? (page.at(-1)?.end ?? cursor) : this.end,
      size: this.size,
      lines: page.map(({ text }) => text),
      truncated: page.length < behind.length,
      reset: cursor !== undefined && (!known || cursor < start),
    };
  }
}

function fitting(lines: readonly Line[], limit: number, maxBytes: number): Line[] {
  const page: Line[] = [];
  let bytes = 0;
  for (const line of lines) {
    bytes += Buffer.byteLength(line.text) + 1;
    if (page.length >= limit || (bytes > maxBytes && page.length > 0)) break;
    page.push(line);
  }
  return page;
}
