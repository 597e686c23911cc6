/** The text if it has at most `max` characters, else its head and its tail with a note between them that says how much is missing. */
export function headAndTail(text: string, max: number): string {
  if (text.length <= max) return text;
  const half = Math.floor(max / 2);
  const head = wholeCharacters(text.slice(0, half));
  const tail = text.slice(text.length - half).replace(/^[\udc00-\udfff]/, '');
  return `${head}\n… ${text.length - head.length - tail.length} characters left out …\n${tail}`;
}

const wholeCharacters = (text: string): string => text.replace(/[\ud800-\udbff]$/, '');

/** Collects output that may be endless in bounded memory: the first and the last part of it. */
export class HeadAndTail {
  private head = '';
  private tail = '';
  private total = 0;

  /** `max` characters are kept, half of them from the end. */
  constructor(private readonly max: number) {}

  push(text: string): void {
    this.total += text.length;
    const half = Math.floor(this.max / 2);
    const room = half - this.head.length;
    if (room > 0) this.head += text.slice(0, room);
    const rest = room > 0 ? text.slice(room) : text;
    // Cut only now and then: appending stays linear.
    this.tail += rest;
    if (this.tail.length > 4 * this.max) this.tail = this.tail.slice(-half);
  }

  toString(): string {
    const half = Math.floor(this.max / 2);
    const tail = this.tail.length > half ? this.tail.slice(-half).replace(/^[\udc00-\udfff]/, '') : this.tail;
    const missing = this.total - this.head.length - tail.length;
    return missing > 0 ? `${wholeCharacters(this.head)}\n… ${missing} characters left out …\n${tail}` : this.head + tail;
  }
}
