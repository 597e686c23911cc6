import type { ServerResponse } from 'node:http';
import type { Clock } from '@plexus/kernel';
import type { Credential } from '../../domain/caller.js';
import { overWindow } from '../ws/over-window.js';
import { EventStream, type EventStreamOptions } from './event-stream.js';

export interface EventStreamMetrics {
  opened(): void;
  closed(): void;
}

/** The event streams of one gateway, so that those can be ended whose caller may not read any more. */
export class EventStreams {
  private readonly open = new Set<EventStream>();

  constructor(
    private readonly options: EventStreamOptions,
    private readonly metrics: EventStreamMetrics,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /** A stream that is not started yet, as the answer to a request with this credential. */
  prepare(response: ServerResponse, credential: Credential): EventStream {
    return new EventStream(response, credential, this.options);
  }

  /** Starts a prepared stream. `onClosed` is called once, when it has ended (`byUs`) or its client has gone. */
  start(stream: EventStream, onClosed: (byUs: boolean) => void): void {
    this.open.add(stream);
    this.metrics.opened();
    stream.start((byUs) => {
      this.open.delete(stream);
      this.metrics.closed();
      onClosed(byUs);
    });
  }

  /** Ends every stream whose credential is one of these. The client may come back with its last event id and another credential. */
  endWhere(matches: (credential: Credential) => boolean): void {
    for (const stream of [...this.open]) if (matches(stream.credential)) stream.end();
  }

  /** Ends every stream, the oldest first and evenly over the window. */
  drain(signal: AbortSignal, windowMs: number, clock: Clock): Promise<void> {
    return overWindow([...this.open], windowMs, (stream) => stream.end(), clock, signal).then(() => this.endWhere(() => true));
  }
}
