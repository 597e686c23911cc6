import { NO_TENANT } from '@plexus/contracts';
import type { Database } from '@plexus/database';
import type { StandingFacts } from '../../application/policies/replay-log.js';
import type { LogInput, Preference, QuietHours } from '../../domain/engine/types.js';

/** Rows of one kind that a replay begins with; more users than that begin without. */
const MOST = 50_000;

const mine = '($3::text[] IS NULL OR user_id = ANY ($3::text[]))';
const PREFERENCES = `
  SELECT p.user_id AS "user", p.version, p.preferences, q.tz, q.start_time AS start, q.end_time AS end, q.days, q.bypass_priority AS "bypassPriority"
    FROM (SELECT * FROM preference WHERE t = $1 AND updated_at < $2 AND ${mine} ORDER BY user_id LIMIT ${MOST}) AS p
    LEFT JOIN quiet_hours q ON q.t = p.t AND q.user_id = p.user_id
   ORDER BY p.user_id`;
const SILENCES = `
  SELECT id, user_id AS "user", matchers, (extract(epoch FROM starts_at) * 1000)::float8 AS from, (extract(epoch FROM ends_at) * 1000)::float8 AS to,
         include_critical AS "includeCritical"
    FROM silence WHERE t = $1 AND created_at < $2 AND ends_at > $2 AND (ended_at IS NULL OR ended_at > $2) AND ${mine} ORDER BY id LIMIT ${MOST}`;
const GRANTS = `
  SELECT user_id AS "user", scope_kind AS "scopeKind", scope_ref AS "scopeRef", granted, (extract(epoch FROM until) * 1000)::float8 AS until
    FROM access_grant WHERE t = $1 AND said_at < $2 AND ${mine} ORDER BY user_id, scope_kind, scope_ref LIMIT ${MOST}`;
const CHANGED = `
  SELECT (SELECT count(*) FROM preference WHERE t = $1 AND updated_at >= $2 AND version > 1 AND ${mine})::int AS preferences,
         (SELECT count(*) FROM access_grant WHERE t = $1 AND said_at >= $2 AND ${mine})::int AS grants`;

interface PreferenceRow {
  readonly user: string;
  readonly version: number;
  readonly preferences: Preference[];
  readonly tz: string | null;
  readonly start: string;
  readonly end: string;
  readonly days: number[] | null;
  readonly bypassPriority: QuietHours['bypassPriority'];
}

interface SilenceRow {
  readonly id: string;
  readonly user: string;
  readonly matchers: Extract<LogInput, { kind: 'silence' }>['data']['matchers'];
  readonly from: number;
  readonly to: number;
  readonly includeCritical: boolean;
}

interface GrantRow {
  readonly user: string;
  readonly scopeKind: 'case' | 'topic';
  readonly scopeRef: string;
  readonly granted: boolean;
  readonly until: number | null;
}

/** What people said before a moment and have not changed since: exactly what held then. What was changed since is not known, and said so. */
export function standingFacts(database: Database): StandingFacts {
  return async (tenant, at, users) => {
    const parameters = [tenant, new Date(at), users === undefined ? null : [...users, NO_TENANT]];
    const [preferences, silences, grants, [changed]] = await Promise.all([
      database.query<PreferenceRow>('push_standing_preferences', PREFERENCES, parameters),
      database.query<SilenceRow>('push_standing_silences', SILENCES, parameters),
      database.query<GrantRow>('push_standing_grants', GRANTS, parameters),
      database.query<{ preferences: number; grants: number }>('push_standing_changed', CHANGED, parameters),
    ]);
    const where = { tenant, seq: 0, at };
    const facts: LogInput[] = [
      ...grants.map((row): LogInput => ({ ...where, kind: 'grant', user: row.user, id: `standing:${row.scopeKind}:${row.scopeRef}`, data: grantOf(row) })),
      ...preferences.map((row): LogInput => ({ ...where, kind: 'preference', user: row.user, id: 'standing', data: preferenceOf(row) })),
      ...silences.map(({ user, ...row }): LogInput => ({ ...where, kind: 'silence', user, id: `standing:${row.id}`, data: { ...row, removed: false } })),
    ];
    return {
      facts,
      assumptions: assumptionsOf(
        at,
        changed,
        [preferences, silences, grants].some(({ length }) => length >= MOST),
      ),
    };
  };
}

function grantOf({ user, scopeKind, scopeRef, granted, until }: GrantRow): Extract<LogInput, { kind: 'grant' }>['data'] {
  if (user === NO_TENANT) return { scopeKind, scopeRef, change: granted ? 'restricted' : 'unrestricted' };
  return { scopeKind, scopeRef, change: granted ? 'granted' : 'revoked', ...(until === null ? {} : { until }) };
}

function preferenceOf({ version, preferences, tz, start, end, days, bypassPriority }: PreferenceRow): Extract<LogInput, { kind: 'preference' }>['data'] {
  const quietHours = tz === null ? {} : { quietHours: { tz, start, end, days: days ?? [0, 1, 2, 3, 4, 5, 6], bypassPriority } };
  return { version, preferences, ...quietHours };
}

function assumptionsOf(at: number, changed: { readonly preferences: number; readonly grants: number } | undefined, cut: boolean): string[] {
  const since = new Date(at).toISOString();
  const { preferences = 0, grants = 0 } = changed ?? {};
  return [
    `Preferences, quiet hours, silences and grants that were last said before ${since} hold from the beginning, as they did.`,
    ...(preferences + grants === 0
      ? []
      : [
          `${preferences} users’ preferences and ${grants} grants were said since; what held before the first change in the log is not known and counts as not said.`,
        ]),
    ...(cut ? [`More than ${MOST} of a kind stand; the rest counts as not said.`] : []),
  ];
}
