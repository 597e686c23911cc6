import { type Clock, sleepOn, type Timer, timerMs } from './clock.js';

interface Pending {
  readonly dueAt: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Lets every promise continuation that is ready now run, also those that only become ready through the former. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until told to move. Timers fire in order of due time, then of creation. */
export class FakeClock implements Clock {
  private elapsed = 0;
  private skewMs = 0;
  private order = 0;
  private readonly timers = new Set<Pending>();

  constructor(private readonly startedAt = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.startedAt + this.elapsed + this.skewMs;
  }

  monotonic(): number {
    return this.elapsed;
  }

  /** Timers that have not fired. A test can assert that nothing was left behind. */
  get pending(): number {
    return this.timers.size;
  }

  setTimeout(fn: () => void, ms: number): Timer {
    const entry: Pending = { dueAt: this.elapsed + timerMs(ms), order: this.order++, fn };
    this.timers.add(entry);
    const timer: Timer = { cancel: () => void this.timers.delete(entry), unref: () => timer };
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves the wall clock only, as an operator or NTP would. */
  stepWallClock(ms: number): void {
    this.skewMs += ms;
  }

  /** Moves both clocks on, firing what falls due on the way and letting the code that waited for it run before going on. */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`a clock can only be advanced by a positive number of milliseconds, got ${ms}`);
    const target = this.elapsed + ms;
    await settle();
    for (let next = this.nextDue(target); next; next = this.nextDue(target)) {
      this.elapsed = Math.max(this.elapsed, next.dueAt);
      this.timers.delete(next);
      next.fn();
      await settle();
    }
    this.elapsed = target;
    await settle();
  }

  private nextDue(target: number): Pending | undefined {
    let best: Pending | undefined;
    for (const timer of this.timers) {
      if (timer.dueAt > target) continue;
      if (!best || timer.dueAt < best.dueAt || (timer.dueAt === best.dueAt && timer.order < best.order)) best = timer;
    }
    return best;
  }
}
