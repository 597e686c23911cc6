import type { Bus, OrderedMessage, OrderedReading } from '@plexus/bus';
import type { LogFeed, OwnedPartition } from '../../application/deciding-ports.js';
import type { LogInput } from '../../domain/engine/types.js';
import { readLogMessage } from './log-decoder.js';
import { LogTape } from './log-tape.js';

export const LOG_STREAM = 'PLEXUS_PUSH_LOG';
const EVERYTHING = 'plexus.log.*.push.>';

export interface LogFeedOptions {
  readonly bus: Bus;
  /** Something arrived. */
  onArrival(): void;
  onInvalid(message: OrderedMessage, problem: unknown): void;
  /** Most inputs held per partition, and most bytes of all of them. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

/** More partitions than this that are behind are read by starting the common reader anew instead of one reader each. */
const MOST_OWN_READERS = 8;

/**
 * Reads the log with one ordered consumer for all partitions of this replica: one is measurably cheaper at rest than sixty-four. A
 * partition that is behind the common reader (taken over later, or more than its buffer came) reads on its own until it has caught up,
 * so that a slow or flooded partition holds up no other.
 */
export class NatsLogFeed implements LogFeed {
  private readonly tapes = new Map<number, LogTape>();
  private readonly maxEntries: number;
  private readonly maxBytes: number;
  private common: OrderedReading | undefined;
  /** Position of the last message that the common reader passed. */
  private position = 0;
  private created: string | undefined;
  private onRoom: (() => void)[] = [];
  private readonly ending = new Set<Promise<unknown>>();

  constructor(private readonly options: LogFeedOptions) {
    this.maxEntries = options.maxEntries ?? 512;
    this.maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  }

  open(partitions: readonly OwnedPartition[]): void {
    const opened = partitions.map(({ part, cursor }) => {
      this.close([part]);
      // One flooded partition may hold an eighth of what may be held, so the others always have room.
      const tape = new LogTape(part, cursor, this.maxEntries, this.maxBytes / 8);
      this.tapes.set(part, tape);
      return tape;
    });
    const behind = [...this.tapes.values()].filter((tape) => !tape.attached && (opened.includes(tape) ? tape.last < this.position : !tape.isFull));
    if (this.common === undefined || behind.length > MOST_OWN_READERS) {
      this.readTogether();
      return;
    }
    for (const tape of opened) {
      if (tape.last >= this.position) tape.attached = true;
      else this.readAlone(tape);
    }
  }

  close(parts: readonly number[]): void {
    for (const part of parts) {
      const tape = this.tapes.get(part);
      if (tape === undefined) continue;
      this.tapes.delete(part);
      this.end(tape.close());
    }
    if (this.tapes.size === 0) this.stopCommon();
    this.releaseRoom();
  }

  peek(part: number, most: number): { inputs: LogInput[]; next: number } {
    const tape = this.tapes.get(part);
    if (tape === undefined) return { inputs: [], next: 0 };
    const { inputs, last, all } = tape.peek(most);
    // What the common reader has passed without finding more of ours need not be read again by whoever takes over.
    const next = all && tape.attached ? Math.max(tape.last, this.position) : (last ?? tape.last);
    return { inputs, next };
  }

  confirm(part: number, next: number): void {
    const tape = this.tapes.get(part);
    if (tape === undefined) return;
    tape.confirm(next);
    this.releaseRoom();
    if (!tape.attached && tape.own === undefined && tape.size === 0) this.readAlone(tape);
  }

  waiting(part: number): boolean {
    return (this.tapes.get(part)?.size ?? 0) > 0;
  }

  urgent(part: number): number {
    return this.tapes.get(part)?.urgent ?? 0;
  }

  async hasRestarted(): Promise<boolean> {
    // What arrives while the answer is on its way must not look like a position from before.
    const known = Math.max(this.position, ...[...this.tapes.values()].map(({ last }) => last));
    const info = await this.options.bus.jetstream.streamInfo(LOG_STREAM);
    if (info === undefined) return false;
    const created = this.created ?? info.created;
    this.created = info.created;
    return info.state.last_seq < known || created !== info.created;
  }

  async stop(): Promise<void> {
    this.close([...this.tapes.keys()]);
    await Promise.all(this.ending);
  }

  private readTogether(): void {
    this.stopCommon();
    const tapes = [...this.tapes.values()].filter((tape) => !tape.isFull);
    for (const tape of tapes) {
      this.end(tape.stopOwn());
      tape.attached = true;
    }
    const from = Math.min(...tapes.map(({ last }) => last));
    this.position = Number.isFinite(from) ? from : 0;
    const { bus } = this.options;
    const reading: OrderedReading = bus.readOrdered(LOG_STREAM, { filter: EVERYTHING, from: { startSeq: this.position + 1 } }, async (message) => {
      if (this.common !== reading) return;
      this.acceptCommon(message);
      while (this.common === reading && this.heldBytes() >= this.maxBytes) await new Promise<void>((resolve) => this.onRoom.push(resolve));
    });
    this.common = reading;
  }

  private acceptCommon(message: OrderedMessage): void {
    this.position = message.seq;
    const part = Number(message.parsed?.key[0]);
    const tape = this.tapes.get(part);
    if (tape === undefined) return;
    if (tape.attached && tape.isFull) tape.attached = false;
    if (tape.attached) this.keep(tape, message);
    else tape.passed = message.seq;
  }

  /** Reads one partition by itself, at its own pace, until it can go on with the common reader. */
  private readAlone(tape: LogTape): void {
    tape.attached = false;
    const goal = this.position;
    const caughtUp = (pending: number) => {
      const done = tape.last >= Math.max(goal, tape.passed) || (pending === 0 && tape.last >= tape.passed);
      if (!done || tape.own !== reading) return;
      tape.attached = true;
      this.end(tape.stopOwn());
    };
    const filter = `plexus.log.*.push.*.v1.${tape.part}.*`;
    const reading: OrderedReading = this.options.bus.readOrdered(
      LOG_STREAM,
      { filter, from: { startSeq: tape.last + 1 } },
      async (message) => {
        if (tape.own !== reading) return;
        this.keep(tape, message);
        caughtUp(message.pending);
        if (tape.own === reading) await tape.room();
      },
      { prefetch: 128 },
    );
    tape.own = reading;
    void reading.ready.then((pending) => caughtUp(pending));
  }

  private keep(tape: LogTape, message: OrderedMessage): void {
    if (message.seq <= tape.last) return;
    const read = readLogMessage(message, this.options.onInvalid);
    tape.push({ seq: message.seq, bytes: message.raw.length, input: read?.input });
    this.options.onArrival();
  }

  private heldBytes(): number {
    let bytes = 0;
    for (const tape of this.tapes.values()) bytes += tape.bytes;
    return bytes;
  }

  private stopCommon(): void {
    const { common } = this;
    this.common = undefined;
    this.releaseRoom();
    if (common !== undefined) this.end(common.stop());
  }

  private releaseRoom(): void {
    for (const resolve of this.onRoom.splice(0)) resolve();
  }

  /** Stopping happens beside; `stop` waits for it. */
  private end(stopping: Promise<void>): void {
    this.ending.add(stopping);
    void stopping.finally(() => this.ending.delete(stopping));
  }
}
