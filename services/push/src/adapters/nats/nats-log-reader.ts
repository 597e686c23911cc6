import type { Bus, OrderedMessage, OrderedReading } from '@plexus/bus';
import { encodeToken, NO_TENANT } from '@plexus/contracts';
import type { LogReader, LogSelection } from '../../application/read-log.js';
import type { LogInput } from '../../domain/engine/types.js';
import { partitionOf } from '../../domain/partition.js';
import { readLogMessage } from './log-decoder.js';
import { LOG_STREAM } from './nats-log-feed.js';

/** Inputs held ahead of whoever reads. */
const AHEAD = 256;
/** Filters are covered by one pattern that the server reads; more users than this are picked out here. */
const MOST_FILTERED = 1;

/** Reads the log for replays with an ordered consumer of its own, no faster than its reader. */
export class NatsLogReader implements LogReader {
  constructor(
    private readonly bus: Bus,
    private readonly onInvalid: (message: OrderedMessage, problem: unknown) => void,
  ) {}

  async *read(selection: LogSelection): AsyncIterable<LogInput> {
    const info = await this.bus.jetstream.streamInfo(LOG_STREAM);
    const end = info?.state.last_seq ?? 0;
    if (info === undefined || info.state.messages === 0) return;
    yield* this.until(end, selection);
  }

  private async *until(end: number, selection: LogSelection): AsyncIterable<LogInput> {
    const arrived = new Arrivals();
    const reading: OrderedReading = this.bus.readOrdered(
      LOG_STREAM,
      { filter: filterOf(selection), from: 'all' },
      async (message) => {
        if (message.seq > end) return arrived.end();
        if (this.wanted(message, selection)) await arrived.put(message);
        if (message.pending === 0 || message.seq === end) arrived.end();
      },
      { prefetch: AHEAD, onError: (error) => arrived.fail(error) },
    );
    void reading.ready.then((pending) => (pending === 0 ? arrived.end() : undefined));
    try {
      for (let message = await arrived.take(); message !== undefined; message = await arrived.take()) {
        const input = readLogMessage(message, this.onInvalid)?.input;
        if (input !== undefined) yield input;
      }
    } finally {
      arrived.end();
      await reading.stop();
    }
  }

  private wanted({ parsed, time }: OrderedMessage, { tenant, users, from, to, parts }: LogSelection): boolean {
    if (parsed === undefined) return false;
    const [part, user] = parsed.key;
    if (tenant !== undefined && parsed.tenant !== tenant) return false;
    if (parts !== undefined && !parts.includes(Number(part))) return false;
    if (users !== undefined && user !== NO_TENANT && !users.includes(user as string)) return false;
    return time >= (from ?? 0) && time < (to ?? Number.POSITIVE_INFINITY);
  }
}

function filterOf({ tenant, users, parts }: LogSelection): string {
  const one = users?.length === MOST_FILTERED && tenant !== undefined ? partitionOf(tenant, users[0] as string) : undefined;
  const part = parts?.length === 1 ? parts[0] : one;
  return `plexus.log.${tenant === undefined ? '*' : encodeToken(tenant)}.push.*.v1.${part ?? '*'}.*`;
}

/** Hands messages from a reader that pushes to one that pulls; holds at most a few hundred. */
class Arrivals {
  private readonly queue: OrderedMessage[] = [];
  private ended = false;
  private failure: unknown;
  private onArrival: (() => void) | undefined;
  private onRoom: (() => void) | undefined;

  async put(message: OrderedMessage): Promise<void> {
    while (this.queue.length >= AHEAD && !this.ended) {
      await new Promise<void>((resolve) => {
        this.onRoom = resolve;
      });
    }
    if (this.ended) return;
    this.queue.push(message);
    this.onArrival?.();
  }

  async take(): Promise<OrderedMessage | undefined> {
    while (this.queue.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.onArrival = resolve;
      });
    }
    if (this.failure !== undefined) throw this.failure;
    const message = this.queue.shift();
    this.onRoom?.();
    return message;
  }

  end(): void {
    this.ended = true;
    this.onArrival?.();
    this.onRoom?.();
  }

  fail(error: unknown): void {
    this.failure = error;
    this.end();
  }
}
