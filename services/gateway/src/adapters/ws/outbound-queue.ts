import type { Duplex } from 'node:stream';
import { FrameRun, frameBytes, type SharedFrame, tailBytes, tailOf, UNNUMBERED } from './frame-run.js';
import { textFrame, textFrameHeader } from './text-frame.js';

/** Handed to the socket at once; what is behind stays here, where it can still be replaced or dropped. */
const HAND_OVER_BYTES = 262_144;

/** A frame up to this size is copied into one buffer with its neighbours; a larger one is written as it is. */
const COPIED_BYTES = 16_384;

/** A frame that the socket had no room for. */
interface HeldFrame {
  readonly frame: SharedFrame | Buffer;
  readonly seq: number | undefined;
  /** Of the whole frame, with its header. */
  readonly bytes: number;
}

/** Queues with something to send; all of them are flushed in one go at the end of the turn. */
let dirty: OutboundQueue[] = [];
let runs = FrameRun.start();

function flushDirty(): void {
  const queues = dirty;
  dirty = [];
  runs = FrameRun.start();
  for (const queue of queues) queue.flush();
}

/**
 * What one connection still has to send. Everything queued within one turn of the event loop leaves in one write, and connections that are sent
 * the same share its bytes. Written straight to the socket behind `ws`: without compression a frame is header and payload, and building it per
 * connection is what makes fan-out slow. While the socket is full, frames stay here one by one.
 */
export class OutboundQueue {
  /** What came in this turn. */
  private run: FrameRun | undefined;
  /** The first number in it. */
  private first = 0;
  private numbered = false;
  /** One of them is too large to be copied. */
  private large = false;
  /** What came before, while the socket took nothing. */
  private waiting: HeldFrame[] | undefined;
  private queuedBytes = 0;
  private scheduled = false;
  /** The socket is full: it says when it is not. */
  private held = false;
  private closed = false;

  constructor(private readonly socket: Duplex) {}

  /** Bytes that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.queuedBytes + this.socket.writableLength;
  }

  /** Whether so many bytes or frames wait although the socket was offered everything that it takes. */
  isBeyond(bytes: number, frames: number): boolean {
    if (this.count < frames && this.bufferedBytes < bytes) return false;
    this.flush();
    return this.count >= frames || this.bufferedBytes >= bytes;
  }

  /** Queues one text frame. */
  text(payload: string): void {
    if (this.closed) return;
    const frame = textFrame(payload);
    if (this.waiting === undefined) this.run = (this.run ?? runs).withOwn(frame);
    else this.waiting.push({ frame, seq: undefined, bytes: frame.length });
    this.took(frame.length);
  }

  /** Queues an event whose bytes are shared; only its number is this connection's own. Returns false when an older one made room for it. */
  event(frame: SharedFrame, seq: number | undefined): boolean {
    if (this.closed) return true;
    const bytes = frameBytes(frame, seq);
    const { latestOf } = frame.waiting;
    const replaced = latestOf !== undefined && this.socket.writableNeedDrain && this.remove((waiting) => waiting.latestOf === latestOf) > 0;
    if (this.waiting === undefined) this.run = (this.run ?? runs).with(frame, this.offsetOf(seq));
    else this.waiting.push({ frame, seq, bytes });
    this.took(bytes);
    return !replaced;
  }

  /** Drops the live events that the socket was not given yet, and says how many. */
  clearLive(): number {
    return this.remove(({ live }) => live);
  }

  /** Hands to the socket what it takes. */
  flush(): void {
    this.scheduled = false;
    if (this.closed) return;
    const { run } = this;
    if (run === undefined && this.waiting === undefined) return;
    if (run !== undefined && !this.large && this.queuedBytes <= HAND_OVER_BYTES && !this.socket.writableNeedDrain) {
      this.forgetRun();
      this.queuedBytes = 0;
      this.socket.write(run.bytes(this.first));
      return;
    }
    const waiting = this.hold();
    while (waiting.length > 0) {
      if (this.socket.writableNeedDrain) {
        this.awaitDrain();
        return;
      }
      this.handOver(waiting, HAND_OVER_BYTES);
    }
    this.waiting = undefined;
  }

  /** Hands everything to the socket, whether it is full or not: a close frame comes next. */
  flushAll(): void {
    if (this.closed || this.count === 0) return;
    this.handOver(this.hold(), Number.POSITIVE_INFINITY);
    this.waiting = undefined;
  }

  /** Nothing is sent any more. */
  close(): void {
    this.closed = true;
    this.forgetRun();
    this.waiting = undefined;
    this.queuedBytes = 0;
  }

  private get count(): number {
    return (this.run?.count ?? 0) + (this.waiting?.length ?? 0);
  }

  private offsetOf(seq: number | undefined): number {
    if (seq === undefined) return UNNUMBERED;
    if (!this.numbered) {
      this.numbered = true;
      this.first = seq;
    }
    return seq - this.first;
  }

  private took(bytes: number): void {
    if (bytes > COPIED_BYTES) this.large = true;
    this.queuedBytes += bytes;
    if (this.scheduled || this.held) return;
    this.scheduled = true;
    if (dirty.push(this) === 1) setImmediate(flushDirty);
  }

  private forgetRun(): void {
    this.run = undefined;
    this.numbered = false;
    this.large = false;
  }

  /** Takes what came in this turn apart, so that single frames can be dropped or replaced. */
  private hold(): HeldFrame[] {
    this.waiting ??= [];
    const { run, waiting } = this;
    run?.each(this.first, (frame, seq) => waiting.push({ frame, seq, bytes: frameBytes(frame, seq) }));
    this.forgetRun();
    return waiting;
  }

  /** Writes the oldest of what waits; one buffer costs less than a list of them, for the kernel too. */
  private handOver(waiting: HeldFrame[], limit: number): void {
    let count = 0;
    let bytes = 0;
    this.socket.cork();
    while (count < waiting.length && bytes < limit) {
      const from = count;
      let copied = 0;
      for (let next = waiting[count]; next !== undefined && next.bytes <= COPIED_BYTES && bytes + copied < limit; next = waiting[++count]) copied += next.bytes;
      if (copied > 0) this.socket.write(joined(waiting.slice(from, count)));
      bytes += copied;
      const large = waiting[count];
      if (large === undefined || large.bytes <= COPIED_BYTES || bytes >= limit) continue;
      writeLarge(this.socket, large);
      bytes += large.bytes;
      count += 1;
    }
    waiting.splice(0, count);
    this.queuedBytes -= bytes;
    this.socket.uncork();
  }

  private awaitDrain(): void {
    if (this.held) return;
    this.held = true;
    this.socket.once('drain', () => {
      this.held = false;
      this.flush();
    });
  }

  private remove(matches: (waiting: SharedFrame['waiting']) => boolean): number {
    if (this.count === 0) return 0;
    const before = this.hold();
    const kept: HeldFrame[] = [];
    for (const held of before) {
      if (!Buffer.isBuffer(held.frame) && matches(held.frame.waiting)) this.queuedBytes -= held.bytes;
      else kept.push(held);
    }
    this.waiting = kept;
    return before.length - kept.length;
  }
}

function joined(frames: readonly HeldFrame[]): Buffer {
  let run = FrameRun.start();
  const first = frames.find(({ seq }) => seq !== undefined)?.seq ?? 0;
  for (const { frame, seq } of frames) run = Buffer.isBuffer(frame) ? run.withOwn(frame) : run.with(frame, seq === undefined ? UNNUMBERED : seq - first);
  return run.bytes(first);
}

function writeLarge(socket: Duplex, { frame, seq }: HeldFrame): void {
  if (Buffer.isBuffer(frame)) {
    socket.write(frame);
    return;
  }
  socket.write(textFrameHeader(frame.head.length + tailBytes(seq)));
  socket.write(frame.head);
  socket.write(tailOf(seq), 'latin1');
}
