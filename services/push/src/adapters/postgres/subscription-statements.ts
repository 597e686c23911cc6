import { isStorableText } from '@plexus/kernel';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';

/** What a matcher reads of `subscription s`: a {@link FollowedScope}, instants in milliseconds. */
export const FOLLOWED_COLUMNS = `
  s.id, s.user_id AS "user", s.scope_kind AS "scopeKind", s.scope_ref AS "scopeRef", s.min_severity AS "minSeverity",
  s.type_patterns AS "typePatterns", s.level, s.version, s.predicate, s.interest_text AS "interestText",
  (extract(epoch FROM s.muted_until) * 1000)::float8 AS "mutedUntil",
  (extract(epoch FROM s.valid_from) * 1000)::float8 AS "validFrom",
  (extract(epoch FROM s.valid_to) * 1000)::float8 AS "validTo"`;

/**
 * One statement per event: exact scopes through the index (t, scope_kind, scope_ref), plus the tenant's followed types with a
 * wildcard, which no index can look up.
 */
export const FIND_SUBSCRIPTIONS = `
  SELECT ${FOLLOWED_COLUMNS}
    FROM unnest($2::text[], $3::text[]) AS scope (kind, ref)
    JOIN subscription s ON s.t = $1 AND s.scope_kind = scope.kind AND s.scope_ref = scope.ref
  UNION ALL
  SELECT ${FOLLOWED_COLUMNS}
    FROM subscription s
   WHERE s.t = $1 AND s.scope_kind = 'type' AND s.scope_ref LIKE '%*%'`;

/** Parameters of {@link FIND_SUBSCRIPTIONS}. */
export function scopeColumns(event: IncomingEvent): [string, string[], string[]] {
  const scopes = scopesOf(event);
  return [event.tenant, scopes.map(([kind]) => kind), scopes.map(([, ref]) => ref)];
}

/** Every exact scope that covers the event, each once. A reference that cannot be stored cannot have been subscribed to. */
function scopesOf(event: IncomingEvent): [FollowedScope['scopeKind'], string][] {
  const each = (kind: FollowedScope['scopeKind'], refs: readonly string[]) =>
    [...new Set(refs)].filter(isStorableText).map((ref): [FollowedScope['scopeKind'], string] => [kind, ref]);
  return [
    ['all', ''],
    ...each('type', event.type.includes('*') ? [] : [event.type]),
    ...each('case', event.caseId === undefined ? [] : [event.caseId]),
    ...each('entity', event.entities),
    ...each('region', event.regions),
    ...each('topic', event.topics),
  ];
}
