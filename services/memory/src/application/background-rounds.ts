import { AbortedError, type Clock } from '@plexus/kernel';
import type { SingleRunner } from './keep-embeddings.js';

/** Work that goes on by itself: rounds of it, one after the other, on one replica at a time. */
export class BackgroundRounds {
  constructor(
    private readonly rounds: readonly ((signal: AbortSignal) => Promise<unknown>)[],
    private readonly runner: SingleRunner,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    private readonly everyMs = 60_000,
  ) {}

  /** Runs until aborted; resolves then. What fails is reported, holds up nothing else and is tried again in the next round. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.runner.exclusively(() => this.#round(signal)).catch(this.onError);
      await this.clock.sleep(this.everyMs, signal).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) throw error;
      });
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    for (const work of this.rounds) if (!signal.aborted) await work(signal).catch(this.onError);
  }
}
