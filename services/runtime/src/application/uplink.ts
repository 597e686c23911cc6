import { AbortedError } from '@plexus/kernel';
import { type FrameSender, LIMITS } from '@plexus/vm-protocol';
import type { JournalState } from '../domain/journal-state.js';
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
    const frame = { type: 'sse_event', session_id: sessionId, run_id: runId, run_seq: runSeq, data, ...(traceparent && { traceparent }) } as const;
    let sent = this.sender.offer(frame);
    while (!sent) {
      const unacked = this.sender.unacked;
      await this.until(() => this.sender.unacked < unacked);
      sent = this.sender.offer(frame);
    }
    const entry = { k: 'up', fseq: sent.fseq, text: sent.text, sessionId, runId, runSeq, ...(ends && { end: data }) } as const;
    this.state.apply(entry);
    this.journal.append(entry);
    this.onFrame();
  }

  /** Tells the mesh something that belongs to no run. Left out when the buffer is full: the mesh can do without. */
  notice(frame: Readonly<Record<string, unknown>> & { readonly type: string }): void {
    const sent = this.sender.offer(frame);
    if (!sent) return;
    const entry = { k: 'up', fseq: sent.fseq, text: sent.text, sessionId: '', runId: '', runSeq: 0 } as const;
    this.state.apply(entry);
    this.journal.append(entry);
    this.onFrame();
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
    const entry = { k: 'ack', fack: this.sender.acked } as const;
    this.state.apply(entry);
    this.journal.append(entry);
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
