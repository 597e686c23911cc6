import type { Principal } from '@plexus/contracts';
import type { SharedEvent } from '../../application/client-connection.js';
import type { InboxFeed } from '../../application/inbox-feed.js';
import type { InboxReader } from '../../application/inbox-pace.js';
import type { InboxCursor } from '../../domain/inbox-cursor.js';
import type { EventStream } from './event-stream.js';

/** An inbox as server-sent events. The id of an item is the cursor behind it; what changes older items has none. */
export class InboxStream implements InboxReader {
  constructor(private readonly stream: Pick<EventStream, 'event' | 'end' | 'signal' | 'bufferedBytes'>) {}

  get open(): boolean {
    return !this.stream.signal.aborted;
  }

  get bufferedBytes(): number {
    return this.stream.bufferedBytes;
  }

  send({ event, payload }: SharedEvent): boolean {
    const data = payload as Record<string, unknown>;
    this.stream.event(event === 'inbox.item' ? String(data.cursor) : undefined, event, data);
    return true;
  }

  /** The client comes back with its last event id. */
  close(): void {
    this.stream.end();
  }

  /** Brings the client from its cursor to the head, says how things stand there, and leaves it reading. */
  async follow(feed: InboxFeed, principal: Principal, cursor: InboxCursor | undefined): Promise<void> {
    try {
      const { snapshot, count: _count, ...state } = await feed.resume(this, principal, cursor, this.stream.signal);
      // What came while the snapshot was made stands behind it: its offsets are higher.
      this.stream.event(state.cursor, 'inbox.state', { ...state, ...snapshot });
    } catch {
      // The answer has begun: ending it is what is left to say, and brings the client back.
      this.stream.end();
    }
  }
}
