import type { Duplex } from 'node:stream';

const TEXT_FRAME = 0x81;
const SEQ_HEAD = Buffer.from(',"seq":');
const CLOSING_BRACE = Buffer.from('}');
/** Handed to the socket at once; what is behind stays here, where it can still be replaced or dropped. */
const HAND_OVER_BYTES = 262_144;

/** Header of an unmasked text frame with a payload of so many bytes (RFC 6455 §5.2). */
export function textFrameHeader(length: number): Buffer {
  if (length < 126) return Buffer.from([TEXT_FRAME, length]);
  if (length < 65_536) {
    const header = Buffer.allocUnsafe(4);
    header[0] = TEXT_FRAME;
    header[1] = 126;
    header.writeUInt16BE(length, 2);
    return header;
  }
  const header = Buffer.allocUnsafe(10);
  header[0] = TEXT_FRAME;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
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
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  readonly waiting: Waiting | undefined;
}

/**
 * What one connection still has to send. Everything queued within one turn of the event loop leaves in one write; the bytes of a broadcast
 * are shared by all queues and never copied here. Written straight to the socket behind `ws`: without compression a frame is header and
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
    const body = Buffer.from(payload);
    this.push([textFrameHeader(body.length), body]);
  }

  /** Queues an event whose bytes are shared; only its number is this connection's own. Returns false when an older one made room for it. */
  event(head: Buffer, seq: number | undefined, waiting?: Waiting): boolean {
    const replaced =
      this.socket.writableNeedDrain && waiting?.latestOf !== undefined && this.remove((frame) => frame.waiting?.latestOf === waiting.latestOf) > 0;
    if (seq === undefined) {
      this.push([textFrameHeader(head.length + 1), head, CLOSING_BRACE], waiting);
    } else {
      const tail = Buffer.from(`${seq}}`);
      this.push([textFrameHeader(head.length + SEQ_HEAD.length + tail.length), head, SEQ_HEAD, tail], waiting);
    }
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
    let count = 0;
    let bytes = 0;
    this.socket.cork();
    for (const frame of this.frames) {
      if (bytes >= limit) break;
      for (const chunk of frame.chunks) this.socket.write(chunk);
      bytes += frame.bytes;
      count += 1;
    }
    if (count === this.frames.length) this.frames = [];
    else this.frames.splice(0, count);
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

  private push(chunks: readonly Buffer[], waiting?: Waiting): void {
    if (this.closed) return;
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    this.frames.push({ chunks, bytes, waiting });
    this.queuedBytes += bytes;
    if (this.scheduled || this.held) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }
}
