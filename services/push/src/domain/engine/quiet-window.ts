import { instantOf, type LocalTime, localTimeAt } from './local-time.js';
import type { QuietHours } from './types.js';

/** `[start, end)` in milliseconds. */
interface Window {
  readonly start: number;
  readonly end: number;
}

const windows = new Map<string, readonly Window[]>();
const MAX_WINDOWS = 5_000;
const DAY = 86_400_000;

/**
 * Until when an instant is quiet, or undefined when it is not. Windows begin on the chosen local days and may go over midnight. A start that
 * clocks show twice is the first of the two, such an end the second; one that they skip is the first instant after the gap.
 */
export function quietUntil(quiet: QuietHours, now: number): number | undefined {
  if (quiet.start === quiet.end) return undefined;
  let until: number | undefined;
  for (const { start, end } of windowsAround(quiet, now)) {
    if (start <= now && now < end && (until === undefined || end > until)) until = end;
  }
  return until;
}

/** The windows of a UTC day and its neighbours: every instant of the day is in one of them if it is in any. Remembered, because zones are slow. */
function windowsAround(quiet: QuietHours, now: number): readonly Window[] {
  const day = Math.floor(now / DAY);
  const key = `${day} ${quiet.start} ${quiet.end} ${quiet.days.join('')} ${quiet.tz}`;
  const known = windows.get(key);
  if (known !== undefined) return known;
  if (windows.size >= MAX_WINDOWS) windows.clear();
  const made = [-2, -1, 0, 1].flatMap((shift) => windowOf(quiet, localTimeAt('UTC', (day + shift) * DAY)));
  windows.set(key, made);
  return made;
}

function windowOf(quiet: QuietHours, day: LocalTime): Window[] {
  const date = Date.UTC(day.year, day.month - 1, day.day);
  if (!quiet.days.includes(new Date(date).getUTCDay())) return [];
  const start = instantOf(quiet.tz, at(date, quiet.start), 'first');
  const end = instantOf(quiet.tz, at(quiet.end > quiet.start ? date : date + DAY, quiet.end), 'second');
  return end > start ? [{ start, end }] : [];
}

function at(date: number, time: string): LocalTime {
  const day = new Date(date);
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return { year: day.getUTCFullYear(), month: day.getUTCMonth() + 1, day: day.getUTCDate(), hour, minute };
}
