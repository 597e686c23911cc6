/** One event of a `text/event-stream`. */
export interface StreamedEvent {
  readonly id?: string;
  readonly event: string;
  readonly data: string;
}

/** An event that does not end within this many characters is an error of the sender. */
const MAX_EVENT_CHARS = 4 * 1024 * 1024;

/**
 * Reads a `text/event-stream` (WHATWG HTML, "Server-sent events"). A pure machine: it takes text in any pieces and gives whole events.
 * Comments are skipped; `retry` is remembered.
 */
export class EventStreamReader {
  /** Pause before a reconnect that the server asked for, ms. */
  retryMs: number | undefined;
  /** Of the last event that named one. */
  lastEventId: string | undefined;
  private rest = '';
  private data: string[] = [];
  private event = '';
  private size = 0;

  /** Takes the next piece. Throws RangeError when one event grows beyond what is kept. */
  push(piece: string): StreamedEvent[] {
    const events: StreamedEvent[] = [];
    // A CR at the end may be half of a CRLF: it waits for the next piece.
    const text = this.rest + piece;
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + text.slice(whole.length);
    for (const line of lines) {
      const event = this.line(line);
      if (event !== undefined) events.push(event);
    }
    if (this.rest.length + this.size > MAX_EVENT_CHARS) throw new RangeError(`an event of the stream has more than ${MAX_EVENT_CHARS} characters`);
    return events;
  }

  private line(line: string): StreamedEvent | undefined {
    if (line === '') return this.dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') {
      this.data.push(value);
      this.size += value.length;
    } else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.lastEventId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  private dispatch(): StreamedEvent | undefined {
    const { data, event } = this;
    this.data = [];
    this.event = '';
    this.size = 0;
    if (data.length === 0) return undefined;
    return { ...(this.lastEventId !== undefined && { id: this.lastEventId }), event: event === '' ? 'message' : event, data: data.join('\n') };
  }
}
