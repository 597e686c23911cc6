import { nextDue } from '@plexus/agent-config';

/** When something is due: a cron pattern read in a zone, an interval counted from 1970, or one moment. Exactly one of the three. */
export interface Timing {
  readonly cron?: string;
  readonly everyMs?: number;
  /** Milliseconds. */
  readonly at?: number;
  readonly timeZone: string;
}

/** What becomes of due times that passed while nobody looked. */
export interface CatchUp {
  readonly mode: 'skip' | 'latest' | 'all';
  /** With `all`: at most so many, the newest ones. */
  readonly max: number;
}

export interface Firing {
  readonly dueAt: number;
  readonly trigger: 'due' | 'caught_up';
}

export interface FiringPlan {
  /** Oldest first. */
  readonly firings: readonly Firing[];
  /** Due times that are left out: the last of them, and how many at least. */
  readonly skipped?: { readonly lastDueAt: number; readonly count: number };
  /** Undefined: never again. */
  readonly nextAt?: number;
}

/** The first due time after `after`, in milliseconds; undefined when there is none. */
export function dueAfter(timing: Timing, after: number): number | undefined {
  if (timing.at === undefined) return nextDue(timing, after);
  return timing.at > after ? timing.at : undefined;
}

/** Late by less than this is on time: a restart of the only replica must not cost the daily report. */
const LONGEST_GRACE_MS = 60_000;
/** And by less than this even what is due every second. */
const SHORTEST_GRACE_MS = 5_000;
/** Due times that one plan looks at; older ones count as skipped. */
const MOST_DUE_TIMES = 200;
const FIRST_WINDOW_MS = 60_000;

/**
 * What to do about a schedule that was due at `nextAt`, looked at when it is `now`. Pure and the same on every replica: only how late it is
 * looked at decides between on time and missed, and the due times themselves never depend on it.
 */
export function planFirings(timing: Timing, catchUp: CatchUp, nextAt: number, now: number): FiringPlan {
  const next = dueAfter(timing, Math.max(now, nextAt));
  const rest = next === undefined ? {} : { nextAt: next };
  if (nextAt > now) return { firings: [], nextAt };
  const { dueTimes, more } = newestDueTimes(timing, nextAt, now);
  const onTime = dueTimes.filter((dueAt) => dueAt > now - graceOf(timing, dueAt));
  const missed = dueTimes.slice(0, dueTimes.length - onTime.length);
  const caughtUp = missed.slice(missed.length - caughtUpCount(timing, catchUp, missed.length, onTime.length));
  const left = missed.slice(0, missed.length - caughtUp.length);
  const count = left.length + (more ? 1 : 0);
  const lastDueAt = left.at(-1) ?? nextAt;
  return {
    firings: [...caughtUp.map((dueAt) => ({ dueAt, trigger: 'caught_up' as const })), ...onTime.map((dueAt) => ({ dueAt, trigger: 'due' as const }))],
    ...(count > 0 ? { skipped: { lastDueAt, count } } : {}),
    ...rest,
  };
}

function caughtUpCount({ at }: Timing, { mode, max }: CatchUp, missed: number, onTime: number): number {
  // There is no next one that could stand for a single moment.
  if (at !== undefined) return missed;
  if (mode === 'skip') return 0;
  // The newest due time stands for all before it; where one is on time, that is it.
  if (mode === 'latest') return onTime > 0 ? 0 : Math.min(1, missed);
  return Math.min(max, missed);
}

/** Half of the time until the next due time, within bounds. */
function graceOf(timing: Timing, dueAt: number): number {
  const following = dueAfter(timing, dueAt);
  const half = following === undefined ? LONGEST_GRACE_MS : (following - dueAt) / 2;
  return Math.min(LONGEST_GRACE_MS, Math.max(SHORTEST_GRACE_MS, half));
}

/** Due times in `[from, now]`, oldest first; only the newest when there are many, found without walking through all of them. */
function newestDueTimes(timing: Timing, from: number, now: number): { dueTimes: number[]; more: boolean } {
  for (let window = FIRST_WINDOW_MS; ; window *= 4) {
    const start = Math.max(from, now - window);
    const dueTimes: number[] = [];
    for (let at = dueAfter(timing, start - 1); at !== undefined && at <= now; at = dueAfter(timing, at)) {
      dueTimes.push(at);
      if (dueTimes.length > MOST_DUE_TIMES) dueTimes.shift();
    }
    if (start === from || dueTimes.length >= MOST_DUE_TIMES) return { dueTimes, more: start > from };
  }
}
