import type { Duplex } from 'node:stream';

const TEXT_FRAME = 0x81;
/** Handed to the socket at once; what is behind stays here, where it can still be replaced or dropped. */
const HAND_OVER_BYTES = 262_144;

/** A payload up to this size is copied into one buffer with its neighbours; a larger one is shared. */
const COPIED_BYTES = 16_384;

/** Bytes of the header of an unmasked text frame with a payload of so many bytes (RFC 6455 §5.2). */
function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

function writeHeader(to: Buffer, at: number, length: number): number {
  to[at] = TEXT_FRAME;
  if (length < 126) to[at + 1] = length;
  else if (length < 65_536) {
    to[at + 1] = 126;
    to.writeUInt16BE(length, at + 2);
  } else {
    to[at + 1] = 127;
    to.writeBigUInt64BE(BigInt(length), at + 2);
  }
  return at + headerBytes(length);
}

/** Header of an unmasked text frame. */
export function textFrameHeader(length: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes(length));
  writeHeader(header, 0, length);
  return header;
}

/** What may become of an event while it waits behind a socket that takes nothing. */
export interface Waiting {
  /** Goes when the live queue is cleared. */
  readonly live: boolean;
  /** A newer event of this name takes its place. */
  readonly latestOf?: string | undefined;
}

interface QueuedFrame {
  /** Shared with other connections, never changed. */
  readonly head: Buffer;
  /** The rest of the payload, this connection's own; ASCII. */
  readonly tail: string;
  /** Of the whole frame, with its header. */
  readonly bytes: number;
  readonly waiting: Waiting | undefined;
}

/** Queues with something to send; all of them are flushed in one go at the end of the turn. */
let dirty: OutboundQueue[] = [];

function flushDirty(): void {
  const queues = dirty;
  dirty = [];
  for (const queue of queues) queue.flush();
}

/**
 * What one connection still has to send. Everything queued within one turn of the event loop leaves in one write; the bytes of a broadcast
 * are shared by all queues; small ones are copied once, into the write. Written straight to the socket behind `ws`: without compression a frame is header and
 * payload, and building it per connection is what makes fan-out slow. While the socket is full, frames stay here.
 */
export class OutboundQueue {
  private frames: QueuedFrame[] = [];
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
    if (this.frames.length < frames && this.bufferedBytes < bytes) return false;
    this.flush();
    return this.frames.length >= frames || this.bufferedBytes >= bytes;
  }

  /** Queues one text frame. */
  text(payload: string): void {
    this.push(Buffer.from(payload), '');
  }

  /** Queues an event whose bytes are shared; only its number is this connection's own. Returns false when an older one made room for it. */
  event(head: Buffer, seq: number | undefined, waiting?: Waiting): boolean {
    const replaced =
      this.socket.writableNeedDrain && waiting?.latestOf !== undefined && this.remove((frame) => frame.waiting?.latestOf === waiting.latestOf) > 0;
    this.push(head, seq === undefined ? '}' : `,"seq":${seq}}`, waiting);
    return !replaced;
  }

  /** Drops the live events that the socket was not given yet, and says how many. */
  clearLive(): number {
    return this.remove((frame) => frame.waiting?.live === true);
  }

  /** Hands to the socket what it takes. */
  flush(): void {
    this.scheduled = false;
    while (this.frames.length > 0 && !this.closed) {
      if (this.socket.writableNeedDrain) {
        this.hold();
        return;
      }
      this.handOver(HAND_OVER_BYTES);
    }
  }

  /** Hands everything to the socket, whether it is full or not: a close frame comes next. */
  flushAll(): void {
    if (this.frames.length > 0 && !this.closed) this.handOver(Number.POSITIVE_INFINITY);
  }

  /** Nothing is sent any more. */
  close(): void {
    this.closed = true;
    this.frames = [];
    this.queuedBytes = 0;
  }

  private handOver(limit: number): void {
    const { frames } = this;
    let count = 0;
    let bytes = 0;
    this.socket.cork();
    while (count < frames.length && bytes < limit) {
      const from = count;
      let copied = 0;
      for (let frame = frames[count]; frame !== undefined && frame.bytes <= COPIED_BYTES && bytes + copied < limit; frame = frames[++count])
        copied += frame.bytes;
      if (copied > 0) this.socket.write(joined(frames, from, count, copied));
      bytes += copied;
      const large = frames[count];
      if (large === undefined || large.bytes <= COPIED_BYTES || bytes >= limit) continue;
      this.socket.write(textFrameHeader(large.head.length + large.tail.length));
      this.socket.write(large.head);
      if (large.tail !== '') this.socket.write(large.tail, 'latin1');
      bytes += large.bytes;
      count += 1;
    }
    this.frames = count === frames.length ? [] : frames.slice(count);
    this.queuedBytes -= bytes;
    this.socket.uncork();
  }

  private hold(): void {
    if (this.held) return;
    this.held = true;
    this.socket.once('drain', () => {
      this.held = false;
      this.flush();
    });
  }

  private remove(matches: (frame: QueuedFrame) => boolean): number {
    const kept: QueuedFrame[] = [];
    const before = this.frames.length;
    for (const frame of this.frames) {
      if (matches(frame)) this.queuedBytes -= frame.bytes;
      else kept.push(frame);
    }
    this.frames = kept;
    return before - kept.length;
  }

  private push(head: Buffer, tail: string, waiting?: Waiting): void {
    if (this.closed) return;
    const length = head.length + tail.length;
    const bytes = headerBytes(length) + length;
    this.frames.push({ head, tail, bytes, waiting });
    this.queuedBytes += bytes;
    if (this.scheduled || this.held) return;
    this.scheduled = true;
    if (dirty.push(this) === 1) setImmediate(flushDirty);
  }
}

/** Frames `from` to `to` as the bytes that go over the wire. One buffer costs less than a list of them, for the kernel too. */
function joined(frames: readonly QueuedFrame[], from: number, to: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let index = from; index < to; index += 1) {
    const { head, tail } = frames[index] as QueuedFrame;
    at = writeHeader(buffer, at, head.length + tail.length);
    at += head.copy(buffer, at);
    if (tail !== '') at += buffer.write(tail, at, 'latin1');
  }
  return buffer;
}
