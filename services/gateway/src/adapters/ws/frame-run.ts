import type { SharedEvent } from '../../application/client-connection.js';
import { digitsOf, headerBytes, writeHeader } from './text-frame.js';

/** An event as it waits to be sent. Its bytes are shared by every connection that gets it. */
export type SharedFrame = Pick<SharedEvent, 'head' | 'waiting'>;

/** The offset of a frame that is not numbered. */
export const UNNUMBERED = -1;

const NUMBER_MARK = ',"seq":';
const NOTHING = Buffer.alloc(0);
/** Copies with other numbers that are kept for the next connection with the same. */
const MAX_COPIES = 64;

/** Bytes of an event's payload behind its head. */
export function tailBytes(seq: number | undefined): number {
  return seq === undefined ? 1 : NUMBER_MARK.length + digitsOf(seq) + 1;
}

export function tailOf(seq: number | undefined): string {
  return seq === undefined ? '}' : `${NUMBER_MARK}${seq}}`;
}

/** Bytes of a run, and where the numbers in it end. */
interface Built {
  readonly bytes: Buffer;
  /** The first number that they were written for. */
  readonly first: number;
  /** For each numbered frame: how far its number is behind the first, where its last digit is, and how many digits there are. */
  readonly numbers: Int32Array;
}

/**
 * The frames that a connection is given within one turn, as a chain from the last to the first. Connections that are given the same frames in the same
 * order share the chain, whatever their own numbers are: a broadcast allocates nothing per connection, and its bytes are put together once. A connection
 * that numbers them differently sends a copy with other digits.
 */
export class FrameRun {
  private next: FrameRun | undefined;
  private built: Built | undefined;
  private copies: Map<number, Buffer> | undefined;

  private constructor(
    private readonly before: FrameRun | undefined,
    /** A shared event, or a whole frame. */
    private readonly frame: SharedFrame | Buffer,
    /** How far its number is behind the first number of the run. */
    private readonly offset: number,
    readonly count: number,
  ) {}

  /** Where runs begin. One for each turn, so that nothing of a turn outlives it. */
  static start(): FrameRun {
    return new FrameRun(undefined, NOTHING, UNNUMBERED, 0);
  }

  /** The run that goes on with this event. */
  with(frame: SharedFrame, offset: number): FrameRun {
    const { next } = this;
    if (next !== undefined && next.frame === frame && next.offset === offset) return next;
    this.next = new FrameRun(this, frame, offset, this.count + 1);
    return this.next;
  }

  /** The run that goes on with a frame of this connection alone. */
  withOwn(frame: Buffer): FrameRun {
    return new FrameRun(this, frame, UNNUMBERED, this.count + 1);
  }

  /** Each frame from the first to the last, with its number. */
  each(first: number, visit: (frame: SharedFrame | Buffer, seq: number | undefined) => void): void {
    for (const { frame, offset } of this.inOrder()) visit(frame, offset === UNNUMBERED ? undefined : first + offset);
  }

  /** The bytes of the whole run for a connection whose first number in it is `first`. Not to be changed: others send the same. */
  bytes(first: number): Buffer {
    const { built } = this;
    if (built === undefined) return this.build(first);
    if (built.first === first) return built.bytes;
    const known = this.copies?.get(first);
    if (known !== undefined) return known;
    const copy = renumbered(built, first);
    if (copy === undefined) return this.build(first);
    this.copies ??= new Map();
    if (this.copies.size < MAX_COPIES) this.copies.set(first, copy);
    return copy;
  }

  private build(first: number): Buffer {
    const frames = this.inOrder();
    const [only] = frames;
    if (frames.length === 1 && only !== undefined && Buffer.isBuffer(only.frame)) return only.frame;
    let size = 0;
    for (const { frame, offset } of frames) size += frameBytes(frame, offset === UNNUMBERED ? undefined : first + offset);
    const bytes = Buffer.allocUnsafe(size);
    const numbers: number[] = [];
    let at = 0;
    for (const { frame, offset } of frames) {
      if (Buffer.isBuffer(frame)) {
        at += frame.copy(bytes, at);
        continue;
      }
      const seq = offset === UNNUMBERED ? undefined : first + offset;
      at = writeHeader(bytes, at, frame.head.length + tailBytes(seq));
      at += frame.head.copy(bytes, at);
      at += bytes.write(tailOf(seq), at, 'latin1');
      if (seq !== undefined) numbers.push(offset, at - 2, digitsOf(seq));
    }
    this.built = { bytes, first, numbers: Int32Array.from(numbers) };
    this.copies = undefined;
    return bytes;
  }

  private inOrder(): FrameRun[] {
    const frames = new Array<FrameRun>(this.count);
    for (let run: FrameRun = this; run.before !== undefined; run = run.before) frames[run.count - 1] = run;
    return frames;
  }
}

/** Bytes of a frame with its header. */
export function frameBytes(frame: SharedFrame | Buffer, seq: number | undefined): number {
  if (Buffer.isBuffer(frame)) return frame.length;
  const length = frame.head.length + tailBytes(seq);
  return headerBytes(length) + length;
}

/** The same bytes with other numbers; undefined when one of them has more or fewer digits, so that lengths change. */
function renumbered({ bytes, numbers }: Built, first: number): Buffer | undefined {
  for (let index = 0; index < numbers.length; index += 3) {
    if (digitsOf(first + (numbers[index] as number)) !== numbers[index + 2]) return undefined;
  }
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  for (let index = 0; index < numbers.length; index += 3) {
    let at = numbers[index + 1] as number;
    for (let left = numbers[index + 2] as number, rest = first + (numbers[index] as number); left > 0; left -= 1, at -= 1) {
      copy[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
  return copy;
}
