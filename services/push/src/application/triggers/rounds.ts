import type { Clock } from '@plexus/kernel';
import { WakeUp } from '../wake-up.js';

/** Works in rounds until nothing is left, then rests until it is woken or its interval is over. A failed round is reported and tried again. */
export class Rounds {
  readonly #wakeUp: WakeUp;

  constructor(
    /** One round; true when there may be more to do now. */
    private readonly step: () => Promise<boolean>,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#wakeUp = new WakeUp(this.clock);
  }

  /** There is something to do. */
  wake(): void {
    this.#wakeUp.ring();
  }

  /** Resolves once aborted and the round that goes on has ended. */
  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#round())) await this.#wakeUp.wait(intervalMs, signal);
    }
  }

  async #round(): Promise<boolean> {
    try {
      return await this.step();
    } catch (error) {
      this.onError(error);
      return false;
    }
  }
}
