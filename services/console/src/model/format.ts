const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];
const DAY_MS = 86_400_000;

/** `short`: the time, with the day when it was not within the last day. `long`: everything. Not a time: as it is. */
export function formatTime(at: string, language: string, style: 'short' | 'long', now = Date.now()): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  if (style === 'long') return date.toLocaleString(language, { dateStyle: 'full', timeStyle: 'long' });
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
  if (Math.abs(now - date.getTime()) < DAY_MS) return date.toLocaleTimeString(language, time);
  return date.toLocaleString(language, { month: 'short', day: 'numeric', ...time });
}

/** A sentence with its instants as people read them. */
export function withTimes(sentence: string, language: string, now = Date.now()): string {
  return sentence.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (at) => formatTime(at, language, 'short', now));
}

/** How long ago, or how long until: `3 minutes ago`. */
export function formatAgo(at: string, now: number, language: string): string {
  const past = new Date(at).getTime() - now;
  if (Number.isNaN(past)) return at;
  // Two days at least: 37 hours on a Saturday are not “tomorrow”.
  const [unit, size] = UNITS.find(([name, ms]) => Math.abs(past) >= (name === 'day' ? 2 * ms : ms)) ?? ['second', 1_000];
  return new Intl.RelativeTimeFormat(language, { numeric: unit === 'day' ? 'always' : 'auto', style: 'short' }).format(Math.trunc(past / size), unit);
}

/** `1.2 s`, `3 min`, `2 h 05 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

export function formatNumber(value: number, language: string, digits = 0): string {
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** `12.3 MiB`, `148 MiB`. */
export function formatBytes(bytes: number): string {
  const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = bytes < 1 ? 0 : Math.min(steps.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * step);
  return `${value.toFixed(step === 0 || value >= 100 ? 0 : 1)} ${steps[step]}`;
}

/** The last part of an id is what tells two of them apart. */
export function shortId(id: string, keep = 8): string {
  return id.length <= keep + 4 ? id : `…${id.slice(-keep)}`;
}

/** Short names of the days of the week, Sunday first. */
export function weekdayNames(language: string): readonly string[] {
  const name = new Intl.DateTimeFormat(language, { weekday: 'short', timeZone: 'UTC' });
  // 1 January 2023 was a Sunday.
  return Array.from({ length: 7 }, (_, day) => name.format(Date.UTC(2023, 0, 1 + day)));
}
