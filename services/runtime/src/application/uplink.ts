import { AbortedError } from '@plexus/kernel';
import { type FrameSender, LIMITS, type OutgoingFrame } from '@plexus/vm-protocol/link';
import type { JournalEntry, JournalState } from '../domain/journal-state.js';
import type { Journal } from './ports.js';

/** One event of a run on its way to the mesh. */
export interface RunEventFrame {
  readonly sessionId: string;
  readonly runId: string;
  readonly runSeq: number;
  /** Serialised event. */
  readonly data: string;
  /** The event ends its run. */
  readonly ends: boolean;
  readonly traceparent?: string;
}

type OfferedFrame = Readonly<Record<string, unknown>> & { readonly type: string };

interface Waiter {
  readonly ready: () => boolean;
  readonly wake: () => void;
}

/** Numbers events, keeps them in memory and in the journal until the mesh has them, and makes producers wait when too many are kept. */
export class Uplink {
  private readonly waiters = new Set<Waiter>();
  /** Called after each new frame; the connection sends it. */
  onFrame: () => void = () => undefined;

  constructor(
    private readonly sender: FrameSender,
    private readonly journal: Journal,
    private readonly state: JournalState,
  ) {}

  /** Takes one event. Waits while the buffer is completely full: an event is never dropped. */
  async send(event: RunEventFrame): Promise<void> {
    const { sessionId, runId, runSeq, data, ends, traceparent } = event;
    const frame = { type: 'sse_event', session_id: sessionId, run_id: runId, run_seq: runSeq, data, ...(traceparent && { traceparent }) };
    await this.take(frame, ({ fseq, text }) => [{ k: 'up', fseq, text, sessionId, runId, runSeq, ...(ends && { end: data }) }]);
  }

  /**
   * Takes a frame that belongs to no run, and waits as `send` does. Resolves with its number when the journal has it, together with the entry
   * `beside`. Rejects with `AbortedError` when the signal aborts while it waits: then nothing was taken.
   */
  post(frame: OfferedFrame, options: { readonly signal?: AbortSignal; readonly beside?: JournalEntry } = {}): Promise<number> {
    const { signal, beside } = options;
    return this.take(frame, ({ fseq, text }) => [{ k: 'up', fseq, text, sessionId: '', runId: '', runSeq: 0 }, ...(beside ? [beside] : [])], signal);
  }

  /** Tells the mesh how something went that belongs to no run; nobody waits for it to be taken. */
  notice(frame: OfferedFrame): void {
    // Without a signal there is nothing that could make it reject.
    void this.post(frame);
  }

  private async take(frame: OfferedFrame, entriesOf: (sent: OutgoingFrame) => readonly JournalEntry[], signal?: AbortSignal): Promise<number> {
    let sent = this.sender.offer(frame);
    while (!sent) {
      const unacked = this.sender.unacked;
      await this.until(() => this.sender.unacked < unacked, signal);
      sent = this.sender.offer(frame);
    }
    // In the same step as the number: nothing may be sent that the journal does not have.
    for (const entry of entriesOf(sent)) this.keep(entry);
    this.onFrame();
    return sent.fseq;
  }

  private keep(entry: JournalEntry): void {
    this.state.apply(entry);
    this.journal.append(entry);
  }

  /** Resolves at once below 80 % of the buffer, else when the mesh has taken enough. Rejects with `AbortedError`. */
  room(signal: AbortSignal): Promise<void> {
    return this.until(() => this.sender.pressure < LIMITS.unackedHighWater, signal);
  }

  /** The mesh has everything up to `fack`. */
  acknowledge(fack: number): void {
    if (this.sender.acknowledge(fack) > 0) this.released();
  }

  /** To be called whenever frames were released, also by a handshake. */
  released(): void {
    this.keep({ k: 'ack', fack: this.sender.acked });
    for (const waiter of this.waiters) if (waiter.ready()) waiter.wake();
  }

  private until(ready: () => boolean, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(AbortedError.from(signal));
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        this.waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(AbortedError.from(signal)));
      const waiter: Waiter = { ready, wake: () => finish(resolve) };
      this.waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
