import { AbortedError, type Clock } from '@plexus/kernel';

/** Lets `ms` pass, or less when `signal` aborts. */
export async function pause(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch((error: unknown) => {
    if (!(error instanceof AbortedError)) throw error;
  });
}
