import type { Database } from '@plexus/database';
import type { DecisionCount, JudgedSubscription, OpinionStore, Span, SubscriptionCount } from '../../application/policies/opinions.js';
import type { Owner } from '../../application/ports.js';

const KEEP = `
  INSERT INTO feedback (t, user_id, delivery_id, useful, note, at)
  SELECT $1, $2, i.delivery_id, $4, $5, $6 FROM inbox_item i WHERE i.t = $1 AND i.user_id = $2 AND i.delivery_id = $3
  ON CONFLICT (t, user_id, delivery_id) DO UPDATE SET useful = excluded.useful, note = excluded.note, at = excluded.at
  RETURNING 1 AS kept`;

/** The last hundred opinions: what somebody thought a year ago says nothing about today. */
const JUDGED = `
  SELECT s.id AS "subscriptionId", s.scope_kind AS "scopeKind", s.scope_ref AS "scopeRef", s.level,
         count(DISTINCT f.delivery_id) FILTER (WHERE f.useful)::int AS useful, count(DISTINCT f.delivery_id) FILTER (WHERE NOT f.useful)::int AS "notUseful"
    FROM (SELECT delivery_id, useful FROM feedback WHERE t = $1 AND user_id = $2 ORDER BY at DESC LIMIT 100) AS f
    JOIN inbox_item i ON i.t = $1 AND i.delivery_id = f.delivery_id AND i.user_id = $2
   CROSS JOIN LATERAL jsonb_array_elements(i.reasons) AS reason
    JOIN subscription s ON s.t = $1 AND s.id = reason ->> 'subscriptionId' AND s.user_id = $2
   GROUP BY s.t, s.id ORDER BY s.id`;

const DECISIONS = `
  SELECT d.verdict, d.reason, count(*)::int AS count, count(*) FILTER (WHERE f.useful)::int AS useful, count(*) FILTER (WHERE NOT f.useful)::int AS "notUseful"
    FROM decision d LEFT JOIN feedback f ON f.t = d.t AND f.user_id = d.user_id AND f.delivery_id = d.delivery_id
   WHERE d.t = $1 AND ($2::text IS NULL OR d.user_id = $2) AND d.at >= $3 AND d.at < $4
   GROUP BY d.verdict, d.reason ORDER BY count DESC, d.verdict, d.reason`;

const SUBSCRIPTIONS = `
  SELECT reason ->> 'subscriptionId' AS "subscriptionId", i.user_id AS "user", s.scope_kind AS "scopeKind", s.scope_ref AS "scopeRef", s.level,
         count(DISTINCT i.delivery_id)::int AS delivered, count(DISTINCT i.delivery_id) FILTER (WHERE i.interrupt)::int AS interrupts,
         count(DISTINCT i.delivery_id) FILTER (WHERE f.useful)::int AS useful, count(DISTINCT i.delivery_id) FILTER (WHERE NOT f.useful)::int AS "notUseful"
    FROM inbox_item i
   CROSS JOIN LATERAL jsonb_array_elements(i.reasons) AS reason
    LEFT JOIN feedback f ON f.t = i.t AND f.user_id = i.user_id AND f.delivery_id = i.delivery_id
    LEFT JOIN subscription s ON s.t = i.t AND s.id = reason ->> 'subscriptionId' AND s.user_id = i.user_id
   WHERE i.t = $1 AND ($2::text IS NULL OR i.user_id = $2) AND i.created_at >= $3 AND i.created_at < $4
   GROUP BY 1, 2, 3, 4, 5 ORDER BY delivered DESC, 1 LIMIT 200`;

type SubscriptionRow = Omit<SubscriptionCount, 'scopeKind' | 'scopeRef' | 'level'> & {
  readonly scopeKind: string | null;
  readonly scopeRef: string | null;
  readonly level: string | null;
};

export class PostgresOpinionStore implements OpinionStore {
  constructor(private readonly database: Database) {}

  async keep({ tenant, user }: Owner, { deliveryId, useful, note, at }: Parameters<OpinionStore['keep']>[1]): Promise<boolean> {
    return (await this.database.query('push_opinion_keep', KEEP, [tenant, user, deliveryId, useful, note ?? null, at])).length > 0;
  }

  judged({ tenant, user }: Owner): Promise<JudgedSubscription[]> {
    return this.database.query<JudgedSubscription>('push_opinion_judged', JUDGED, [tenant, user]);
  }

  decisions(tenant: string, user: string | undefined, { from, to }: Span): Promise<DecisionCount[]> {
    return this.database.query<DecisionCount>('push_stats_decisions', DECISIONS, [tenant, user ?? null, from, to]);
  }

  async subscriptions(tenant: string, user: string | undefined, { from, to }: Span): Promise<SubscriptionCount[]> {
    const rows = await this.database.query<SubscriptionRow>('push_stats_subscriptions', SUBSCRIPTIONS, [tenant, user ?? null, from, to]);
    return rows.map(({ scopeKind, scopeRef, level, ...row }) => ({
      ...row,
      ...(scopeKind === null ? {} : { scopeKind }),
      ...(scopeRef === null ? {} : { scopeRef }),
      ...(level === null ? {} : { level }),
    }));
  }
}
