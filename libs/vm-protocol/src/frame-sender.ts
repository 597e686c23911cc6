import { LIMITS } from './limits.js';

/** A frame as it goes over the wire, with its number inside. */
export interface OutgoingFrame {
  readonly fseq: number;
  /** Serialised JSON; append `fack` with `withFack`. */
  readonly text: string;
  readonly bytes: number;
}

export interface FrameSenderOptions {
  /** Highest frame number that the peer is known to have. */
  readonly acked?: number;
  /** Frames behind `acked` that are not acked yet, in order: what a spool kept. */
  readonly unacked?: readonly OutgoingFrame[];
  readonly maxFrames?: number;
  readonly maxBytes?: number;
}

export type Attached =
  | 'ok'
  /** The peer lacks frames that it had acked: they are gone here. */
  | 'gap'
  /** The peer has frames that were never sent from here. */
  | 'ahead';

/** Adds the piggybacked ack to a serialised frame without parsing it again. */
export function withFack(text: string, fack: number): string {
  return `${text.slice(0, -1)},"fack":${fack}}`;
}

/**
 * One direction of the reliable profile, as seen by the sender: numbers frames, keeps them until they are acked, and says which one to
 * send next on the current connection. Pure bookkeeping with a bound; nothing goes out by itself.
 */
export class FrameSender {
  private ackedUpTo: number;
  private assigned: number;
  /** Frame `ackedUpTo + 1 + i` is at `start + i`. */
  private frames: OutgoingFrame[];
  private start = 0;
  private bytes = 0;
  /** Next frame number to send on this connection; undefined = no connection. */
  private cursor: number | undefined;
  private readonly maxFrames: number;
  private readonly maxBytes: number;

  constructor(options: FrameSenderOptions = {}) {
    this.ackedUpTo = options.acked ?? 0;
    this.frames = [...(options.unacked ?? [])];
    this.maxFrames = options.maxFrames ?? LIMITS.unackedFrames;
    this.maxBytes = options.maxBytes ?? LIMITS.unackedBytes;
    this.assigned = this.ackedUpTo;
    for (const frame of this.frames) {
      if (frame.fseq !== this.assigned + 1) throw new RangeError(`unacked frames must continue at ${this.assigned + 1}, got ${frame.fseq}`);
      this.assigned = frame.fseq;
      this.bytes += frame.bytes;
    }
  }

  /** Highest number ever assigned. */
  get sent(): number {
    return this.assigned;
  }

  get acked(): number {
    return this.ackedUpTo;
  }

  get unacked(): number {
    return this.assigned - this.ackedUpTo;
  }

  get unackedBytes(): number {
    return this.bytes;
  }

  /** How full the buffer is, 0..1, by count or bytes, whichever is worse. */
  get pressure(): number {
    return Math.max(this.unacked / this.maxFrames, this.bytes / this.maxBytes);
  }

  /** Numbers and keeps a frame. Undefined = the buffer is full; nothing was taken. */
  offer(frame: Readonly<Record<string, unknown>> & { readonly type: string }): OutgoingFrame | undefined {
    if (this.unacked >= this.maxFrames) return undefined;
    const fseq = this.assigned + 1;
    const text = JSON.stringify({ ...frame, fseq });
    const bytes = Buffer.byteLength(text);
    if (this.bytes + bytes > this.maxBytes) return undefined;
    const outgoing = { fseq, text, bytes };
    this.frames.push(outgoing);
    this.assigned = fseq;
    this.bytes += bytes;
    return outgoing;
  }

  /** Cumulative ack. Returns how many frames it released; an old one releases none, one for a frame never sent is ignored too. */
  acknowledge(fack: number): number {
    if (fack <= this.ackedUpTo || fack > this.assigned) return 0;
    const count = fack - this.ackedUpTo;
    for (let i = 0; i < count; i++) this.bytes -= (this.frames[this.start + i] as OutgoingFrame).bytes;
    this.start += count;
    this.ackedUpTo = fack;
    if (this.cursor !== undefined && this.cursor <= fack) this.cursor = fack + 1;
    // Moving the rest down is paid for by at least as many released frames, so acks stay cheap on average.
    if (this.start * 2 >= this.frames.length) {
      this.frames = this.frames.slice(this.start);
      this.start = 0;
    }
    return count;
  }

  /** A connection is ready and the peer has everything up to `peerReceived`: sending goes on behind it. On 'gap' and 'ahead' nothing is sent. */
  connected(peerReceived: number): Attached {
    if (peerReceived < this.ackedUpTo) return 'gap';
    if (peerReceived > this.assigned) return 'ahead';
    this.acknowledge(peerReceived);
    this.cursor = peerReceived + 1;
    return 'ok';
  }

  disconnected(): void {
    this.cursor = undefined;
  }

  /** The peer asks for everything from `expected` on. 'gap' = no longer here. */
  rewind(expected: number): 'ok' | 'gap' {
    if (expected <= this.ackedUpTo) return 'gap';
    if (this.cursor !== undefined && expected < this.cursor) this.cursor = expected;
    return 'ok';
  }

  /** The next frame to put on the wire; undefined when all were sent or there is no connection. */
  next(): OutgoingFrame | undefined {
    if (this.cursor === undefined || this.cursor > this.assigned) return undefined;
    const frame = this.frames[this.start + this.cursor - this.ackedUpTo - 1];
    this.cursor++;
    return frame;
  }

  /** Every unacked frame, oldest first: what a spool has to keep. */
  *pending(): Generator<OutgoingFrame, void, undefined> {
    for (let i = this.start; i < this.frames.length; i++) yield this.frames[i] as OutgoingFrame;
  }
}
