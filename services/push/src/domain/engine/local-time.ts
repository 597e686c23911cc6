/** A day and a time as a clock on the wall shows them. Months count from 1. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

const clocks = new Map<string, Intl.DateTimeFormat>();
const MAX_CLOCKS = 1_000;

/**
 * The instant (milliseconds) at which clocks in a zone show a local time. A time that clocks skip is the first instant after the gap; of a
 * time that they show twice the `first` or the `second` is taken. Zones that nobody knows count as UTC.
 */
export function instantOf(zone: string, local: LocalTime, which: 'first' | 'second'): number {
  const wall = Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute);
  // No zone is further than 15 hours from UTC, so that these two stand on both sides of a change of offset that could matter.
  const before = offsetAt(zone, wall - 15 * HOUR);
  const after = offsetAt(zone, wall + 15 * HOUR);
  const candidates = [wall - Math.max(before, after), wall - Math.min(before, after)];
  const valid = candidates.filter((instant) => instant + offsetAt(zone, instant) === wall);
  const [first] = valid;
  if (first === undefined) return changeBetween(zone, candidates[0] as number, candidates[1] as number);
  return which === 'first' ? first : (valid[valid.length - 1] as number);
}

/** What the calendar and the clock on the wall show at an instant; seconds are cut off. */
export function localTimeAt(zone: string, instant: number): LocalTime {
  const wall = new Date(instant + offsetAt(zone, instant));
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth() + 1, day: wall.getUTCDate(), hour: wall.getUTCHours(), minute: wall.getUTCMinutes() };
}

const SECOND = 1_000;
const HOUR = 3_600_000;

/** Milliseconds by which clocks of the zone are ahead of UTC. */
function offsetAt(zone: string, instant: number): number {
  const whole = Math.floor(instant / SECOND) * SECOND;
  const shown: Record<string, number> = {};
  for (const { type, value } of clockOf(zone).formatToParts(whole)) shown[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

/** The first instant after `from` and not after `to` with another offset than `from` has. */
function changeBetween(zone: string, from: number, to: number): number {
  const before = offsetAt(zone, from);
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  if (clocks.size >= MAX_CLOCKS) clocks.clear();
  const clock = newClock(zone);
  clocks.set(zone, clock);
  return clock;
}

function newClock(timeZone: string): Intl.DateTimeFormat {
  const parts = { hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { ...parts, timeZone });
  } catch (problem) {
    // Zones are checked where they are said. One that this build of ICU does not know must not stop everybody's decisions.
    if (problem instanceof RangeError) return new Intl.DateTimeFormat('en-US', { ...parts, timeZone: 'UTC' });
    throw problem;
  }
}
