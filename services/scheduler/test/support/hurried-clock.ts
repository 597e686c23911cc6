import { type Clock, systemClock } from '@plexus/kernel';

/** A clock whose waits take a part of their time: `times` = 5 waits 1 s for 5 s. The time of day is the real one. */
export function hurriedClock(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    setTimeout: (run, ms) => systemClock.setTimeout(run, ms / times),
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}
