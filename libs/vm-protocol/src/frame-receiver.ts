import { LIMITS } from './limits.js';

export interface NumberedFrame<F> {
  readonly fseq: number;
  readonly frame: F;
}

export type Received<F> =
  /** Process these, in this order: the frame itself and held ones that it made contiguous. */
  | { readonly kind: 'deliver'; readonly frames: readonly NumberedFrame<F>[] }
  /** Seen before; drop it. An ack is due at once, since the peer evidently missed the last one. */
  | { readonly kind: 'duplicate' }
  /** Ahead of its turn and held (or, beyond the hold, dropped until the replay). `nack` is set once per gap: send it. */
  | { readonly kind: 'gap'; readonly nack?: number };

export interface FrameReceiverOptions {
  /** Highest frame that is durable already: where an earlier connection left off. */
  readonly durable?: number;
  readonly holdFrames?: number;
  readonly gapMs?: number;
  readonly ackFrames?: number;
  readonly ackDelayMs?: number;
}

/**
 * One direction of the reliable profile, as seen by the receiver: puts frames in order, drops repeats, notices gaps, and knows what may
 * be acked and when. Pure bookkeeping: time comes in as an argument (milliseconds of any monotonic clock), nothing goes out by itself.
 *
 * `received` moves when a frame is handed out, `durable` only when `complete` was called for every frame up to it. Only `durable` is
 * ever acked.
 */
export class FrameReceiver<F> {
  private receivedUpTo: number;
  private durableUpTo: number;
  private readonly done = new Set<number>();
  private readonly held = new Map<number, F>();
  private nackedFor: number | undefined;
  private gapSince: number | undefined;
  private ackedUpTo: number;
  private oldestUnackedAt: number | undefined;
  private readonly options: Required<Omit<FrameReceiverOptions, 'durable'>>;

  constructor(options: FrameReceiverOptions = {}) {
    const { durable = 0, ...rest } = options;
    this.receivedUpTo = durable;
    this.durableUpTo = durable;
    this.ackedUpTo = durable;
    this.options = { holdFrames: LIMITS.holdFrames, gapMs: LIMITS.gapMs, ackFrames: LIMITS.ackFrames, ackDelayMs: LIMITS.ackDelayMs, ...rest };
  }

  /** Highest contiguous frame that was handed out. */
  get received(): number {
    return this.receivedUpTo;
  }

  /** Highest contiguous frame that is durable: the value of `fack`. */
  get durable(): number {
    return this.durableUpTo;
  }

  get holding(): number {
    return this.held.size;
  }

  receive(fseq: number, frame: F, now: number): Received<F> {
    if (fseq <= this.receivedUpTo) {
      // Only a frame that is durable can be acked again; for one still in processing the ack comes by itself.
      if (fseq <= this.durableUpTo) this.oldestUnackedAt = Number.NEGATIVE_INFINITY;
      return { kind: 'duplicate' };
    }
    if (fseq > this.receivedUpTo + 1) return this.hold(fseq, frame, now);

    const frames: NumberedFrame<F>[] = [{ fseq, frame }];
    this.receivedUpTo = fseq;
    for (let next = fseq + 1; this.held.has(next); next++) {
      frames.push({ fseq: next, frame: this.held.get(next) as F });
      this.held.delete(next);
      this.receivedUpTo = next;
    }
    // What is still held lies behind another gap, which gets its own nack when the next frame shows it.
    this.nackedFor = undefined;
    this.gapSince = this.held.size > 0 ? now : undefined;
    return { kind: 'deliver', frames };
  }

  private hold(fseq: number, frame: F, now: number): Received<F> {
    if (this.held.size < this.options.holdFrames || this.held.has(fseq)) this.held.set(fseq, frame);
    this.gapSince ??= now;
    const expected = this.receivedUpTo + 1;
    if (this.nackedFor === expected) return { kind: 'gap' };
    this.nackedFor = expected;
    return { kind: 'gap', nack: expected };
  }

  /** The effect of a delivered frame is durable. May be called in any order; returns true when `durable` moved. */
  complete(fseq: number, now: number): boolean {
    if (fseq <= this.durableUpTo || fseq > this.receivedUpTo) return false;
    this.done.add(fseq);
    const before = this.durableUpTo;
    while (this.done.delete(this.durableUpTo + 1)) this.durableUpTo++;
    if (this.durableUpTo === before) return false;
    this.oldestUnackedAt ??= now;
    return true;
  }

  /** When an ack must be sent alone at the latest; undefined = nothing to ack. A value ≤ now means now. */
  get ackDueAt(): number | undefined {
    if (this.oldestUnackedAt === undefined) return undefined;
    if (this.durableUpTo - this.ackedUpTo >= this.options.ackFrames) return Number.NEGATIVE_INFINITY;
    return this.oldestUnackedAt + this.options.ackDelayMs;
  }

  /** The `fack` to put into an outgoing frame, which counts as sent from now on. */
  takeAck(): number {
    this.ackedUpTo = this.durableUpTo;
    this.oldestUnackedAt = undefined;
    return this.durableUpTo;
  }

  /** When the current gap has lasted too long (close 4410); undefined = no gap. */
  get gapDueAt(): number | undefined {
    return this.gapSince === undefined ? undefined : this.gapSince + this.options.gapMs;
  }

  /** The connection is gone: the peer will replay, so what was held is forgotten. What is in processing stays in processing. */
  disconnected(): void {
    this.held.clear();
    this.gapSince = undefined;
    this.nackedFor = undefined;
    this.oldestUnackedAt = undefined;
  }
}
