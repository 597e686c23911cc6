import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { QuietHours } from '../../domain/engine/types.js';
import {
  changedPreferences,
  isTimeZone,
  MAX_PREFERENCES,
  MAX_PREFERENCES_BYTES,
  type PreferencesChange,
  samePreferences,
  sameQuietHours,
  type Wishes,
} from '../../domain/managing/preferences.js';
import { invalid, type Issue, textIssues } from './invalid.js';
import { type Decided, EVERYBODY, type LogChange } from './log-change.js';

export interface PreferenceStore {
  /** In the order of `users`; who never said anything has version 0. */
  read(tenant: string, users: readonly string[]): Promise<Wishes[]>;
  /** In one transaction, alone for this user: reads, decides, writes `next` and the log entries. `decide` must be pure. */
  change<T>(tenant: string, user: string, decide: (current: Wishes) => Decided<T> & { readonly next?: Wishes }): Promise<T>;
}

export interface WishesAnswer {
  readonly preferences: Wishes;
  readonly changed: boolean;
}

/** What a user wants to be told, on which channel, and when not. User `_`: the defaults of the tenant. */
export class ManagePreferences {
  constructor(
    private readonly store: PreferenceStore,
    private readonly newId: () => string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  async read(tenant: string, user: string): Promise<{ own: Wishes; tenant: Wishes }> {
    const [own, defaults] = await this.store.read(tenant, [user, EVERYBODY]);
    return { own: own as Wishes, tenant: defaults as Wishes };
  }

  /** Fails with INVALID_REQUEST, QUOTA_EXCEEDED, or CONFLICT when something was said since `baseVersion`. A repeat changes nothing. */
  async setPreferences(tenant: string, user: string, change: PreferencesChange, baseVersion?: number): Promise<WishesAnswer> {
    const issues = preferenceIssues(change);
    if (issues.length > 0) throw invalid(...issues);
    return this.#change(tenant, user, baseVersion, (current) => {
      const preferences = changedPreferences(current.preferences, change);
      if (preferences.length > MAX_PREFERENCES || Buffer.byteLength(JSON.stringify(preferences)) > MAX_PREFERENCES_BYTES) {
        throw errors.create('QUOTA_EXCEEDED', { details: { maxPreferences: MAX_PREFERENCES, maxBytes: MAX_PREFERENCES_BYTES } });
      }
      return samePreferences(current.preferences, preferences) ? undefined : { ...current, preferences };
    });
  }

  /** Undefined takes the quiet hours away. Fails as {@link setPreferences} does. */
  async setQuietHours(tenant: string, user: string, hours: QuietHours | undefined, baseVersion?: number): Promise<WishesAnswer> {
    if (hours !== undefined && !isTimeZone(hours.tz)) {
      throw invalid({ path: 'quietHours.tz', message: `${JSON.stringify(hours.tz)} is no IANA time zone such as Europe/Berlin` });
    }
    const said = hours && { ...hours, days: [...new Set(hours.days)].sort() };
    return this.#change(tenant, user, baseVersion, ({ quietHours, ...current }) => {
      if (sameQuietHours(quietHours, said)) return undefined;
      return said === undefined ? current : { ...current, quietHours: said };
    });
  }

  async #change(tenant: string, user: string, baseVersion: number | undefined, next: (current: Wishes) => Wishes | undefined): Promise<WishesAnswer> {
    const entryId = this.newId();
    const updatedAt = new Date(this.clock.now()).toISOString();
    return this.store.change<WishesAnswer>(tenant, user, (current) => {
      const wanted = next(current);
      // Asked again with the same content it is done already, whatever the version.
      if (wanted === undefined) return { result: { preferences: current, changed: false }, log: [] };
      if (baseVersion !== undefined && baseVersion !== current.version) throw errors.create('CONFLICT', { details: { version: current.version } });
      const preferences = { ...wanted, version: current.version + 1, updatedAt };
      return { result: { preferences, changed: true }, log: [entryOf(user, entryId, preferences)], next: preferences };
    });
  }
}

/** The whole of it: whoever reads the log needs nothing that was said before. */
function entryOf(user: string, id: string, { preferences, quietHours, version }: Wishes): LogChange {
  const whole = { preferences: preferences.map((one) => ({ ...one })), version, ...(quietHours === undefined ? {} : { quietHours: { ...quietHours } }) };
  return { kind: 'preference', user, id, data: whole };
}

function preferenceIssues({ put, remove }: PreferencesChange): Issue[] {
  const ids = put.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const twice = ids.find((id, place) => ids.indexOf(id) !== place);
  return [
    ...(twice === undefined ? [] : [{ path: 'put', message: `the id ${JSON.stringify(twice)} is there twice` }]),
    ...put.flatMap(({ id, match, channel }, place) => {
      const at = `put.${place}`;
      const texts = { [`${at}.id`]: id, [`${at}.channel`]: channel, [`${at}.match.scopeRef`]: match.scopeRef, [`${at}.match.types`]: match.types?.join('') };
      const issues = textIssues(texts);
      if (match.scopeRef !== undefined && match.scopeKind === undefined) issues.push({ path: `${at}.match.scopeKind`, message: 'is needed with scopeRef' });
      return issues;
    }),
    ...textIssues({ remove: remove.join('') }),
  ];
}
