import { type Clock, systemClock, type Timer } from './clock.js';
import { PlexusError } from './plexus-error.js';

/** Longest deadline that is believed from outside: a broken peer clock must not pin work for ever. */
const MAX_REMAINING_MS = 24 * 60 * 60 * 1_000;

/** The moment at which a piece of work stops being wanted; travels with calls as milliseconds since the epoch. */
export class Deadline {
  private controller: AbortController | undefined;
  private timer: Timer | undefined;

  private constructor(
    /** On the monotonic clock of this process, so that a step of the wall clock changes nothing. */
    private readonly dueAt: number,
    private readonly clock: Clock,
  ) {}

  static in(ms: number, clock: Clock = systemClock): Deadline {
    if (Number.isNaN(ms)) throw new RangeError('a deadline needs a number of milliseconds, got NaN');
    return new Deadline(clock.monotonic() + Math.max(0, ms), clock);
  }

  /** Reads a header made by `toHeader`; undefined when there is none or it is not a plausible instant. */
  static fromHeader(value: string | null | undefined, clock: Clock = systemClock): Deadline | undefined {
    if (!value || !/^\d{1,15}$/.test(value)) return undefined;
    const remaining = Number(value) - clock.now();
    return remaining > MAX_REMAINING_MS ? undefined : Deadline.in(remaining, clock);
  }

  toHeader(): string {
    return String(Math.round(this.clock.now() + this.remainingMs()));
  }

  /** Milliseconds left, never negative. */
  remainingMs(): number {
    return Math.max(0, this.dueAt - this.clock.monotonic());
  }

  get expired(): boolean {
    return this.remainingMs() <= 0;
  }

  /** The earlier of this deadline and one `ms` from now: what a nested call may use. */
  within(ms: number): Deadline {
    return new Deadline(Math.min(this.dueAt, this.clock.monotonic() + Math.max(0, ms)), this.clock);
  }

  /** Aborts when the time is up, with a `PlexusError` TIMEOUT as the reason. Does not keep the process alive. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.expired) this.abort();
      else this.timer = this.clock.setTimeout(() => this.abort(), this.remainingMs()).unref();
    }
    return this.controller.signal;
  }

  /** Releases the timer behind `signal`; for deadlines that are met long before they are due. */
  dispose(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private abort(): void {
    this.controller?.abort(new PlexusError({ code: 'TIMEOUT', message: 'The deadline of this call has passed.', retryable: true, status: 504 }));
  }
}
