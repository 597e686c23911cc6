import { type Clock, systemClock } from './clock.js';
import { PlexusError } from './plexus-error.js';

export type BreakerState = 'closed' | 'open' | 'half_open';
export type BreakerTransition = 'open' | 'half_open' | 'close';

export interface CircuitBreakerOptions {
  /** Failures in a row that open the breaker; 5 unless given. */
  readonly threshold?: number;
  /** Quiet time after the last failure before a probe is let through; 30 000 unless given. */
  readonly resetMs?: number;
  readonly clock?: Pick<Clock, 'now'>;
  readonly onTransition?: (transition: BreakerTransition) => void;
}

/**
 * Stops calling what keeps failing. Closed → open after `threshold` failures in a row → after `resetMs` without another failure
 * exactly one probe is let through (half open) → closed when it succeeds, open again when it fails. A probe that never reports
 * back is given up after `resetMs`, so that a lost answer cannot lock the breaker for ever.
 */
export class CircuitBreaker {
  private current: BreakerState = 'closed';
  private failures = 0;
  private lastFailureAt = 0;
  private probeStartedAt = 0;
  /** Counts transitions, so that the outcome of a call that began in an earlier state is not taken for the probe's. */
  private generation = 0;
  private readonly threshold: number;
  private readonly resetMs: number;
  private readonly clock: Pick<Clock, 'now'>;

  constructor(private readonly options: CircuitBreakerOptions = {}) {
    this.threshold = options.threshold ?? 5;
    this.resetMs = options.resetMs ?? 30_000;
    this.clock = options.clock ?? systemClock;
    if (!(this.threshold >= 1)) throw new RangeError(`breaker threshold must be ≥ 1, got ${this.threshold}`);
    if (!(this.resetMs >= 0)) throw new RangeError(`breaker resetMs must be ≥ 0, got ${this.resetMs}`);
  }

  get state(): BreakerState {
    return this.current;
  }

  /** Claims permission for one call. In half open only the probe has it; report its outcome with `success` or `failure`. */
  canAttempt(): boolean {
    if (this.current === 'closed') return true;
    const now = this.clock.now();
    if (this.current === 'open') {
      if (now - this.lastFailureAt < this.resetMs) return false;
      this.move('half_open', 'half_open');
    } else if (now - this.probeStartedAt < this.resetMs) {
      return false;
    }
    this.probeStartedAt = now;
    return true;
  }

  /** Reports success. While open it changes nothing: only a probe may close the breaker. */
  success(): void {
    if (this.current === 'open') return;
    this.failures = 0;
    if (this.current === 'half_open') this.move('closed', 'close');
  }

  /** Reports failure. While open it only prolongs the quiet time. */
  failure(): void {
    this.failures++;
    this.lastFailureAt = this.clock.now();
    if (this.current === 'half_open' || (this.current === 'closed' && this.failures >= this.threshold)) this.move('open', 'open');
  }

  /**
   * Runs `fn` under the breaker. Rejects with a retryable `UNAVAILABLE` without calling it while the breaker refuses. `isFailure` decides
   * which errors count against the resource (default: all).
   */
  async run<T>(fn: () => PromiseLike<T> | T, isFailure: (error: unknown) => boolean = () => true): Promise<T> {
    if (!this.canAttempt()) {
      throw new PlexusError({
        code: 'UNAVAILABLE',
        message: 'This failed repeatedly and is left alone for a moment; try again.',
        retryable: true,
        status: 503,
      });
    }
    const generation = this.generation;
    try {
      const value = await fn();
      if (generation === this.generation) this.success();
      return value;
    } catch (error) {
      if (generation === this.generation || this.current === 'open') {
        if (isFailure(error)) this.failure();
        else if (generation === this.generation) this.success();
      }
      throw error;
    }
  }

  private move(state: BreakerState, transition: BreakerTransition): void {
    this.current = state;
    this.generation++;
    this.options.onTransition?.(transition);
  }
}
