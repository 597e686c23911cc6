/** One line of a byte stream, without its end. Of a line that is too long only the size is kept. */
export type Line = { readonly kind: 'text'; readonly text: string; readonly bytes: number } | { readonly kind: 'too-long'; readonly bytes: number };

export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 10;

/**
 * Cuts a byte stream into lines. Holds at most one line of `maxBytes`: the rest of a longer one is skipped. Lines end with LF or CR LF; blank
 * ones are left out; bytes that are not UTF-8 become U+FFFD. Never throws.
 */
export class LineSplitter {
  private parts: Uint8Array[] = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number = MAX_LINE_BYTES) {}

  /** The lines that are complete with this chunk. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.keep(chunk.subarray(from, at));
      lines.push(...this.take());
      from = at + 1;
    }
    this.keep(chunk.subarray(from));
    return lines;
  }

  /** What came after the last line end. */
  end(): Line[] {
    return this.take();
  }

  private keep(part: Uint8Array): void {
    this.bytes += part.byteLength;
    if (this.bytes > this.maxBytes) this.parts = [];
    // A copy: the stream may use its buffer again.
    else if (part.byteLength > 0) this.parts.push(Uint8Array.from(part));
  }

  private take(): Line[] {
    const { parts, bytes } = this;
    this.parts = [];
    this.bytes = 0;
    if (bytes > this.maxBytes) return [{ kind: 'too-long', bytes }];
    const text = Buffer.concat(parts).toString('utf8').replace(/\r$/, '');
    return text.trim() === '' ? [] : [{ kind: 'text', text, bytes }];
  }
}
