import { AbortedError } from '@plexus/kernel';
import { AgentFailure, type AgentPiece } from '../../application/ports.js';
import type { BridgeEvent } from './bridge-wire.js';
import { RunState } from './run-state.js';

/** Above either of these the bridge is not read further until half of it is taken. */
const HIGH_PIECES = 256;
const HIGH_BYTES = 4 * 1024 * 1024;

/** One run in a bridge: what the bridge says goes in at one side, what the runtime asks for comes out at the other. */
export class BridgeRun {
  private readonly state = new RunState();
  private queue: { piece: AgentPiece; bytes: number }[] = [];
  private bytes = 0;
  private full = false;
  private wake: (() => void) | undefined;
  private readonly whenSettled = new AbortController();

  constructor(
    readonly sessionId: string,
    readonly runId: string,
    /** Called with true when too much waits, with false when there is room again. */
    private readonly onPressure: (run: BridgeRun, full: boolean) => void,
  ) {}

  /** Aborts when the bridge has nothing more to do for this run. */
  get settled(): AbortSignal {
    return this.whenSettled.signal;
  }

  get hasEnded(): boolean {
    return this.state.end !== undefined;
  }

  get lateEvents(): number {
    return this.state.late;
  }

  /** Takes an event of the bridge; `bytes` is the size of its line. */
  feed(event: BridgeEvent, bytes: number): void {
    for (const piece of this.state.feed(event)) {
      this.queue.push({ piece, bytes });
      this.bytes += bytes;
    }
    this.changed();
  }

  cancel(): void {
    this.state.cancel();
    this.changed();
  }

  abandon(): void {
    this.state.abandon();
    // Nobody takes it any more.
    this.queue = [];
    this.bytes = 0;
    this.changed();
  }

  fail(code: string, sentence: string): void {
    this.state.fail(code, sentence);
    this.changed();
  }

  exited(sentence: string): void {
    this.state.exited(sentence);
    this.changed();
  }

  /** What the bridge says until the run's end. Throws `AgentFailure` when that is one, `AbortedError` when the run was cancelled. */
  async *pieces(): AsyncGenerator<AgentPiece> {
    for (;;) {
      const next = this.queue.shift();
      if (next) {
        this.bytes -= next.bytes;
        this.changed();
        yield next.piece;
        continue;
      }
      const { end } = this.state;
      if (end?.kind === 'complete') return;
      if (end?.kind === 'cancelled') throw new AbortedError('the run was cancelled');
      if (end) throw new AgentFailure(end.code, end.sentence);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private changed(): void {
    const share = this.full ? 0.5 : 1;
    const full = this.queue.length >= HIGH_PIECES * share || this.bytes >= HIGH_BYTES * share;
    if (full !== this.full) {
      this.full = full;
      this.onPressure(this, full);
    }
    if (this.state.settled) this.whenSettled.abort();
    this.wake?.();
    this.wake = undefined;
  }
}
