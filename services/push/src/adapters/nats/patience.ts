import { AbortedError, type Clock, fullJitter, PlexusError } from '@plexus/kernel';

const BACKOFF = { baseMs: 100, capMs: 2_000 };

/**
 * Holds a message while the database is away instead of handing it back: an outage would otherwise use up the few deliveries that
 * protect us from messages which crash the worker. The consumer's concurrency bounds how many are held, and the bus keeps
 * telling the server that work goes on.
 */
export class Patience {
  constructor(
    private readonly clock: Clock,
    private readonly onWait: (error: unknown, attempt: number) => void,
    /** Aborts when the service stops: whoever waits gives up at once. */
    private readonly stopping: AbortSignal,
  ) {}

  /** Repeats `work` until it does not fail as unavailable, or until `signal` aborts or the service stops. Other failures are passed on. */
  async whileUnavailable<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | 'gave-up'> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        this.onWait(error, attempt);
        if (!(await this.#pause(attempt, signal))) return 'gave-up';
      }
    }
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.clock.sleep(fullJitter(attempt, BACKOFF), AbortSignal.any([signal, this.stopping]));
      return true;
    } catch (error) {
      if (error instanceof AbortedError) return false;
      throw error;
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return PlexusError.isPlexusError(error) && error.code === 'UNAVAILABLE';
}
