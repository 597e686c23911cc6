import { createHash } from 'node:crypto';
import type { Preference, QuietHours } from '../engine/types.js';

/** Everything that a user (or the tenant, for everybody) said about being reached. */
export interface Wishes {
  readonly preferences: readonly Preference[];
  readonly quietHours?: QuietHours;
  /** Counts every change; 0: nothing was ever said. */
  readonly version: number;
  /** ISO 8601. */
  readonly updatedAt?: string;
}

/** One sentence as it is said; without an id it gets one from what it is about. */
export type PreferenceDraft = Omit<Preference, 'id'> & { readonly id?: string | undefined };

export interface PreferencesChange {
  readonly put: readonly PreferenceDraft[];
  readonly remove: readonly string[];
  /** True: only what is put remains. */
  readonly replace: boolean;
}

export const MAX_PREFERENCES = 200;
export const MAX_PREFERENCES_BYTES = 64 * 1024;

/**
 * The preferences after a change, in the order in which they were first said. Who says something about the same events and channel again
 * replaces the earlier sentence, whatever its id.
 */
export function changedPreferences(current: readonly Preference[], { put, remove, replace }: PreferencesChange): Preference[] {
  let list = replace ? [] : current.filter(({ id }) => !remove.includes(id));
  for (const draft of put) {
    const about = aboutOf(draft);
    const earlier = [...list, ...current].find((one) => aboutOf(one) === about);
    const said = { ...draft, id: draft.id ?? earlier?.id ?? `pref_${about.slice(0, 22)}` };
    const place = list.findIndex((one) => one.id === said.id || aboutOf(one) === about);
    const others = list.filter((one) => one.id !== said.id && aboutOf(one) !== about);
    list = place < 0 ? [...others, said] : [...others.slice(0, place), said, ...others.slice(place)];
  }
  return list;
}

/** Equal for sentences about the same events and the same channel. */
function aboutOf({ match: { types, scopeKind, scopeRef }, channel }: PreferenceDraft): string {
  const parts = [types === undefined ? null : [...new Set(types)].sort(), scopeKind ?? null, scopeRef ?? null, channel];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

export function samePreferences(a: readonly Preference[], b: readonly Preference[]): boolean {
  const line = ({ id, value, ...rest }: Preference) => [id, value, aboutOf(rest as PreferenceDraft)];
  return JSON.stringify(a.map(line)) === JSON.stringify(b.map(line));
}

export function sameQuietHours(a: QuietHours | undefined, b: QuietHours | undefined): boolean {
  const line = (hours: QuietHours | undefined) => hours && [hours.tz, hours.start, hours.end, hours.days, hours.bypassPriority];
  return JSON.stringify(line(a)) === JSON.stringify(line(b));
}

/** True for a name of the IANA time zone database that this machine knows; offsets such as `+02:00` are none, because they know no summer. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    // RangeError is the only way in which Intl says that it does not know a zone.
    return false;
  }
}
