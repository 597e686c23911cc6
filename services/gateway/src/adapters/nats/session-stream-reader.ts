import type { Bus, OrderedMessage, OrderedReading } from '@plexus/bus';
import { type CloudEventOf, sessionContracts } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import type { Log, SessionArchive, SessionStreamMessage } from '../../application/ports.js';
import type { SessionFeed } from '../../application/session-feed.js';

const STREAM = 'PLEXUS_EVT_SESSION';
const ALL_SESSIONS = 'plexus.evt.*.session.>';
const CATCH_UP_MS = 10_000;
const ARCHIVE_MS = 10_000;

/** A stored message in the terms of the use cases; undefined when it is not one of ours. */
function toStreamMessage(message: OrderedMessage): SessionStreamMessage | undefined {
  const { parsed, seq, time } = message;
  if (parsed === undefined || parsed.kind !== 'evt') return undefined;
  try {
    const { data } = message.json<CloudEventOf>();
    return { seq, time, tenant: parsed.tenant, name: parsed.name, sessionId: parsed.key[0] ?? '', data };
  } catch {
    // Not JSON; the feed counts what it cannot read.
    return { seq, time, tenant: parsed.tenant, name: parsed.name, sessionId: parsed.key[0] ?? '', data: undefined };
  }
}

/** Reads the session stream for the feed: one ordered consumer per process, all tenants, from a little before the start. */
export class SessionStreamReader implements SessionArchive {
  private reading: OrderedReading | undefined;
  private stopped = false;

  constructor(
    private readonly bus: Bus,
    private readonly feed: SessionFeed,
    private readonly log: Log,
    private readonly catchUpMs = CATCH_UP_MS,
  ) {}

  /**
   * Starts reading. Goes back at most `replay` messages, so that the feed knows the runs that are in flight; resolves when it has caught up
   * with what was stored when it started, or after a while in any case: reading goes on by itself, and a gateway that knows some runs late is
   * better than one that ends and has to begin anew. What was last may also have been erased meanwhile.
   */
  async start(replay: number): Promise<void> {
    const last = await this.bus.lastOnSubject(STREAM, ALL_SESSIONS);
    if (last === undefined || replay === 0) {
      this.read('new');
      await this.patiently((this.reading as OrderedReading).ready);
      return;
    }
    const caughtUp = new Promise<void>((resolve) => {
      this.read({ startSeq: Math.max(1, last.seq - replay + 1) }, (seq) => {
        if (seq >= last.seq) resolve();
      });
    });
    await this.patiently(caughtUp);
  }

  private async patiently(done: Promise<unknown>): Promise<void> {
    try {
      await timeout(done, this.catchUpMs, { what: 'replay of the session stream' });
    } catch (error) {
      this.log.warn({ error, seq: this.feed.seq }, 'the session stream is not read up to its end yet; going on without');
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.reading?.stop();
  }

  async readSession(tenant: string, sessionId: string, from: number, limit: number, signal: AbortSignal): Promise<SessionStreamMessage[]> {
    const filter = sessionContracts.sessionEvent.subject(tenant, sessionId);
    const last = await this.bus.lastOnSubject(STREAM, filter);
    if (last === undefined || last.seq < from) return [];
    const messages: SessionStreamMessage[] = [];
    let reading: OrderedReading | undefined;
    try {
      await timeout(
        new Promise<void>((resolve, reject) => {
          const take = (message: OrderedMessage) => {
            const taken = toStreamMessage(message);
            if (messages.length < limit && taken !== undefined && message.seq <= last.seq) messages.push(taken);
            if (messages.length >= limit || message.seq >= last.seq) resolve();
          };
          reading = this.bus.readOrdered(STREAM, { filter, from: { startSeq: from } }, take, { onError: reject });
        }),
        ARCHIVE_MS,
        { signal, what: 'reading of a session' },
      );
      return messages;
    } finally {
      await reading?.stop();
    }
  }

  private read(from: 'new' | { startSeq: number }, onSeq?: (seq: number) => void): void {
    this.reading = this.bus.readOrdered(
      STREAM,
      { filter: ALL_SESSIONS, from },
      (message) => {
        const taken = toStreamMessage(message);
        if (taken !== undefined) this.feed.accept(taken);
        onSeq?.(message.seq);
      },
      {
        onError: (error) => {
          this.log.error({ error }, 'reading the session stream stopped and is started again');
          if (!this.stopped) this.read({ startSeq: this.feed.seq + 1 });
        },
      },
    );
  }
}
