import type { OrderedReading } from '@plexus/bus';
import type { LogInput } from '../../domain/engine/types.js';

interface Entry {
  readonly seq: number;
  readonly bytes: number;
  readonly input: LogInput | undefined;
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

  get isFull(): boolean {
    return this.entries.length >= this.maxEntries || this.bytes >= this.maxBytes;
  }

  /** Repeats are dropped: positions only grow. */
  push(entry: Entry): void {
    if (entry.seq <= this.last) return;
    this.last = entry.seq;
    this.bytes += entry.bytes;
    this.entries.push(entry);
  }

  peek(most: number): { readonly inputs: LogInput[]; readonly last: number | undefined; readonly all: boolean } {
    const taken = this.entries.slice(0, most);
    return { inputs: taken.flatMap(({ input }) => (input === undefined ? [] : [input])), last: taken.at(-1)?.seq, all: taken.length === this.entries.length };
  }

  confirm(next: number): void {
    let gone = 0;
    while (gone < this.entries.length && (this.entries[gone] as Entry).seq <= next) {
      this.bytes -= (this.entries[gone] as Entry).bytes;
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
