import type { Duplex } from 'node:stream';

const TEXT_FRAME = 0x81;
const SEQ_HEAD = Buffer.from(',"seq":');
const CLOSING_BRACE = Buffer.from('}');

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

/**
 * What one connection still has to send. Everything queued within one turn of the event loop leaves in one write; the bytes of a broadcast
 * are shared by all queues and never copied here. Written straight to the socket behind `ws`: without compression a frame is header and
 * payload, and building it per connection is what makes fan-out slow.
 */
export class OutboundQueue {
  private chunks: Buffer[] = [];
  private queuedBytes = 0;
  private scheduled = false;
  private closed = false;

  constructor(private readonly socket: Duplex) {}

  /** Bytes that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.queuedBytes + this.socket.writableLength;
  }

  /** Queues one text frame. */
  text(payload: string): void {
    const body = Buffer.from(payload);
    this.push(textFrameHeader(body.length), body);
  }

  /** Queues an event whose bytes are shared; only its number is this connection's own. */
  event(head: Buffer, seq: number | undefined): void {
    if (seq === undefined) {
      this.push(textFrameHeader(head.length + 1), head, CLOSING_BRACE);
      return;
    }
    const tail = Buffer.from(`${seq}}`);
    this.push(textFrameHeader(head.length + SEQ_HEAD.length + tail.length), head, SEQ_HEAD, tail);
  }

  /** Hands everything to the socket now, for example before a close frame. */
  flush(): void {
    this.scheduled = false;
    const { chunks } = this;
    if (chunks.length === 0 || this.closed) return;
    this.chunks = [];
    this.queuedBytes = 0;
    this.socket.cork();
    for (const chunk of chunks) this.socket.write(chunk);
    this.socket.uncork();
  }

  /** Nothing is sent any more. */
  close(): void {
    this.closed = true;
    this.chunks = [];
    this.queuedBytes = 0;
  }

  private push(...chunks: Buffer[]): void {
    if (this.closed) return;
    for (const chunk of chunks) {
      this.chunks.push(chunk);
      this.queuedBytes += chunk.length;
    }
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }
}
