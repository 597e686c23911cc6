import type { ServerResponse } from 'node:http';
import type { SessionSink } from '../../application/follow-session.js';
import type { Credential } from '../../domain/caller.js';

export interface EventStreamOptions {
  /** A reader that leaves more than this unread is cut off; it resumes with its last event id. */
  readonly maxBufferedBytes: number;
  readonly heartbeatMs: number;
}

/** A reader that does not take what is left at the end is cut off after this. */
const FLUSH_MS = 2_000;

/** One answer of type text/event-stream. What comes before {@link start} is kept and sent first. */
export class EventStream implements SessionSink {
  private readonly gone = new AbortController();
  private pending: string[] | undefined = [];
  private heartbeat: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    private readonly response: ServerResponse,
    /** What the caller came in with; the stream lives no longer. */
    readonly credential: Credential,
    private readonly options: EventStreamOptions,
  ) {
    response.once('close', () => this.gone.abort());
  }

  /** Aborts when the client is gone or the stream was ended. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  /** Sends the head and everything that waits. `onClosed` is called once, also when the client went before this; `byUs`: the client did not. */
  start(onClosed: (byUs: boolean) => void): void {
    if (this.signal.aborted) {
      onClosed(this.ended);
      return;
    }
    this.signal.addEventListener('abort', () => {
      clearInterval(this.heartbeat);
      onClosed(this.ended);
    });
    this.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    const waiting = this.pending ?? [];
    this.pending = undefined;
    this.write(`: open\n\n${waiting.join('')}`);
    this.heartbeat = setInterval(() => this.write(': heartbeat\n\n'), this.options.heartbeatMs);
  }

  /** Bytes that the client has not taken yet. */
  get bufferedBytes(): number {
    return this.response.writableLength;
  }

  event(id: number | string | undefined, type: string, data: Record<string, unknown>): void {
    // The type comes from a VM; a line break in it would forge fields.
    const name = type.replace(/[^\w.-]/g, '_');
    this.put(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  resync(): void {
    this.put('event: resync\ndata: {}\n\n');
  }

  /** Ends a started stream: nothing is written any more, and the client is told that this was all. */
  end(): void {
    if (this.signal.aborted) return;
    this.ended = true;
    this.gone.abort();
    const cut = setTimeout(() => this.response.destroy(), FLUSH_MS);
    this.response.once('close', () => clearTimeout(cut));
    this.response.end();
  }

  private put(text: string): void {
    if (this.pending !== undefined) this.pending.push(text);
    else this.write(text);
  }

  private write(text: string): void {
    if (this.signal.aborted) return;
    this.response.write(text);
    if (this.response.writableLength > this.options.maxBufferedBytes) this.response.destroy();
  }
}
