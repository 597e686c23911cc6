import type { OrderedReading } from '@plexus/bus';
import type { LogInput } from '../../domain/engine/types.js';

interface Entry {
  readonly seq: number;
  readonly bytes: number;
  readonly input: LogInput | undefined;
}

/** An event that interrupts whatever else there is. */
export function isUrgent(input: LogInput | undefined): boolean {
  return input?.kind === 'candidate' && input.data.event.severity === 'critical';
}

/** What was read of one partition and not decided yet. */
export class LogTape {
  /** Position of the last message that is on the tape, or was. */
  last: number;
  bytes = 0;
  /** Present while the partition has a reader of its own, because the common one is ahead of it. */
  own: OrderedReading | undefined;
  /** Reads through the common reader. */
  attached = false;
  /** Highest position of this partition that the common reader passed while it was not attached. */
  passed = 0;
  closed = false;
  private entries: Entry[] = [];
  private urgentHeld = 0;
  private onRoom: (() => void)[] = [];

  constructor(
    readonly part: number,
    cursor: number,
    private readonly maxEntries: number,
    private readonly maxBytes: number,
  ) {
    this.last = cursor;
  }

  get size(): number {
    return this.entries.length;
  }

  /** How many entries lie up to the first urgent one, that included; 0 when none is. */
  get urgent(): number {
    if (this.urgentHeld === 0) return 0;
    return this.entries.findIndex(({ input }) => isUrgent(input)) + 1;
  }

  get isFull(): boolean {
    return this.entries.length >= this.maxEntries || this.bytes >= this.maxBytes;
  }

  /** Repeats are dropped: positions only grow. */
  push(entry: Entry): void {
    if (entry.seq <= this.last) return;
    this.last = entry.seq;
    this.bytes += entry.bytes;
    this.entries.push(entry);
    if (isUrgent(entry.input)) this.urgentHeld += 1;
  }

  peek(most: number): { readonly inputs: LogInput[]; readonly last: number | undefined; readonly all: boolean } {
    const taken = this.entries.slice(0, most);
    return { inputs: taken.flatMap(({ input }) => (input === undefined ? [] : [input])), last: taken.at(-1)?.seq, all: taken.length === this.entries.length };
  }

  confirm(next: number): void {
    let gone = 0;
    while (gone < this.entries.length && (this.entries[gone] as Entry).seq <= next) {
      const { bytes, input } = this.entries[gone] as Entry;
      this.bytes -= bytes;
      if (isUrgent(input)) this.urgentHeld -= 1;
      gone += 1;
    }
    this.entries = this.entries.slice(gone);
    this.last = Math.max(this.last, next);
    if (!this.isFull) this.release();
  }

  /** Settles when there is room, or the tape is closed. */
  async room(): Promise<void> {
    while (this.isFull && !this.closed) await new Promise<void>((resolve) => this.onRoom.push(resolve));
  }

  /** Ends reading of its own; what is on the tape stays. */
  async stopOwn(): Promise<void> {
    const { own } = this;
    this.own = undefined;
    await own?.stop();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.release();
    await this.stopOwn();
  }

  private release(): void {
    for (const resolve of this.onRoom.splice(0)) resolve();
  }
}
