import { type Clock, fullJitter } from '@plexus/kernel';

const FAILURE_BACKOFF = { baseMs: 500, capMs: 15_000 };

/** Works until nothing is left, then sleeps until it is woken or its interval is over. Failures are reported and retried more slowly. */
export class WorkLoop {
  readonly #step: () => Promise<boolean>;
  readonly #clock: Clock;
  readonly #report: (error: unknown) => void;
  #wake: AbortController | undefined;
  #hurried = false;
  #stopped = false;
  #timer: { at: number; stop: () => void } | undefined;

  /** `step` works on one thing and says whether there was one. */
  constructor(step: () => Promise<boolean>, clock: Clock, report: (error: unknown) => void) {
    this.#step = step;
    this.#clock = clock;
    this.#report = report;
  }

  /** There is something to do now. */
  hurry(): void {
    this.#hurried = true;
    this.#wake?.abort();
  }

  /** There will be something to do then; of several times the earliest is kept, and none once the loop has ended. */
  hurryAt(at: number): void {
    if (this.#stopped || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.stop();
    const stop = new AbortController();
    this.#timer = { at, stop: () => stop.abort() };
    void this.#clock.sleep(Math.max(0, at - this.#clock.now()), stop.signal).then(
      () => {
        this.#timer = undefined;
        this.hurry();
      },
      () => undefined, // replaced by an earlier time, or shut down
    );
  }

  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    let failures = 0;
    this.#stopped = false;
    while (!signal.aborted) {
      this.#hurried = false;
      try {
        while (!signal.aborted && (await this.#step()));
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#report(error);
      }
      const waitMs = failures === 0 ? intervalMs : fullJitter(failures, FAILURE_BACKOFF) + 100;
      if (!this.#hurried || failures > 0) await this.#sleep(waitMs, signal);
    }
    this.#stopped = true;
    this.#timer?.stop();
    this.#timer = undefined;
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    await this.#clock.sleep(ms, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined); // woken or stopped; the loop looks at both
    this.#wake = undefined;
  }
}
