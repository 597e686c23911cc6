import type { Tx } from '@plexus/database';
import type { Lookup, SubscriptionChanges, SubscriptionPage, SubscriptionStore, Usage } from '../../../application/managing/subscription-store.js';
import type { Owner } from '../../../application/ports.js';
import type { StoredSubscription } from '../../../domain/managing/subscription-terms.js';
import { FOLLOWED_COLUMNS } from '../subscription-index.js';
import type { ManagedChanges } from './managed-changes.js';

const COLUMNS = `${FOLLOWED_COLUMNS}, s.name, s.created_at AS "createdAt", s.updated_at AS "updatedAt"`;

/** Looked up by id or by scope and name, in the order that was asked. */
const FIND = `
  SELECT wanted.place::int AS place, ${COLUMNS}
    FROM json_to_recordset($2::json) AS wanted (place int, "user" text, id text, "scopeKind" text, "scopeRef" text, name text)
    JOIN subscription s ON s.t = $1 AND s.user_id = wanted."user"
     AND (s.id = wanted.id OR (s.scope_kind = wanted."scopeKind" AND s.scope_ref = wanted."scopeRef" AND s.name = wanted.name))`;

/** Bytes as `bytesOf` counts them. */
const USAGE = `
  SELECT user_id AS "user", count(*)::int AS count,
         sum(500 + octet_length(scope_ref) + octet_length(name) + coalesce(octet_length(predicate::text), 0)
             + coalesce(octet_length(interest_text), 0) + coalesce(octet_length(array_to_string(type_patterns, ',')), 0))::int AS bytes
    FROM subscription WHERE t = $1 AND user_id = ANY($2::text[]) GROUP BY user_id`;

const FIELDS = `
  (id text, "user" text, "scopeKind" text, "scopeRef" text, name text, "minSeverity" text, "typePatterns" text[], level text, version int, predicate jsonb,
   "interestText" text, "mutedUntil" timestamptz, "validFrom" timestamptz, "validTo" timestamptz, "createdAt" timestamptz, "updatedAt" timestamptz)`;

const INSERT = `
  INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, name, min_severity, type_patterns, level, version, predicate, interest_text, muted_until,
                            valid_from, valid_to, created_at, updated_at)
  SELECT $1, r.id, r."user", r."scopeKind", r."scopeRef", r.name, r."minSeverity", r."typePatterns", r.level, r.version, r.predicate, r."interestText",
         r."mutedUntil", r."validFrom", r."validTo", r."createdAt", r."updatedAt"
    FROM json_to_recordset($2::json) AS r ${FIELDS}`;

const UPDATE = `
  UPDATE subscription s
     SET min_severity = r."minSeverity", type_patterns = r."typePatterns", level = r.level, version = r.version, predicate = r.predicate,
         interest_text = r."interestText", muted_until = r."mutedUntil", valid_from = r."validFrom", valid_to = r."validTo", updated_at = r."updatedAt"
    FROM json_to_recordset($2::json) AS r ${FIELDS}
   WHERE s.t = $1 AND s.id = r.id`;

const PAGE = `
  SELECT ${COLUMNS} FROM subscription s
   WHERE s.t = $1 AND s.user_id = $2 AND s.id COLLATE "C" > $3 AND ($4::text IS NULL OR s.scope_kind = $4) AND ($5::text IS NULL OR s.scope_ref = $5)
   ORDER BY s.id COLLATE "C" LIMIT $6::int`;

type Row = Record<string, unknown> & { readonly createdAt: Date; readonly updatedAt: Date };

/** Subscriptions: rows and log entries in one transaction, whole pages in a handful of statements. */
export class PostgresSubscriptions implements SubscriptionStore {
  constructor(private readonly changes: ManagedChanges) {}

  async change<T>(tenant: string, lookups: readonly Lookup[], decide: Parameters<SubscriptionStore['change']>[2]): Promise<T> {
    const users = [...new Set(lookups.map(({ user }) => user))];
    return this.changes.run(tenant, users, async (tx) => {
      const found = await find(tx, tenant, lookups);
      const usage = await tx.query<Usage & { user: string }>('push_managed_usage', USAGE, [tenant, users]);
      const { result, log, changes } = decide(found, new Map(usage.map(({ user, ...used }) => [user, used])));
      if (changes !== undefined) await write(tx, tenant, changes);
      return { result: result as T, log };
    });
  }

  async get({ tenant, user }: Owner, id: string): Promise<StoredSubscription | undefined> {
    const [row] = await this.changes.database.query<Row>(
      'push_get_subscription',
      `SELECT ${COLUMNS} FROM subscription s WHERE s.t = $1 AND s.user_id = $2 AND s.id = $3`,
      [tenant, user, id],
    );
    return row && toSubscription(row);
  }

  async page({ tenant, user }: Owner, { scopeKind, scopeRef, after, limit }: SubscriptionPage): Promise<StoredSubscription[]> {
    const rows = await this.changes.database.query<Row>('push_page_subscriptions', PAGE, [
      tenant,
      user,
      after ?? '',
      scopeKind ?? null,
      scopeRef ?? null,
      limit,
    ]);
    return rows.map(toSubscription);
  }
}

async function find(tx: Tx, tenant: string, lookups: readonly Lookup[]): Promise<(StoredSubscription | undefined)[]> {
  const rows = await tx.query<Row & { place: number }>('push_find_managed', FIND, [
    tenant,
    JSON.stringify(lookups.map((lookup, place) => ({ ...lookup, place }))),
  ]);
  const byPlace = new Map(rows.map(({ place, ...row }) => [place, toSubscription(row as unknown as Row)]));
  return lookups.map((_lookup, place) => byPlace.get(place));
}

async function write(tx: Tx, tenant: string, { inserts, updates, removals }: SubscriptionChanges): Promise<void> {
  if (removals.length > 0) {
    await tx.query('push_remove_subscriptions', 'DELETE FROM subscription WHERE t = $1 AND id = ANY($2::text[])', [tenant, removals.map(({ id }) => id)]);
  }
  if (inserts.length > 0) await tx.query('push_insert_subscriptions', INSERT, [tenant, JSON.stringify(inserts.map(toRecord))]);
  if (updates.length > 0) await tx.query('push_update_subscriptions', UPDATE, [tenant, JSON.stringify(updates.map(toRecord))]);
}

const INSTANTS = ['mutedUntil', 'validFrom', 'validTo'] as const;

function toRecord(subscription: StoredSubscription): Record<string, unknown> {
  const instants = INSTANTS.filter((field) => subscription[field] !== undefined).map((field) => [field, new Date(subscription[field] as number).toISOString()]);
  return { ...subscription, ...Object.fromEntries(instants) };
}

/** Absent is absent, never null. */
function toSubscription({ createdAt, updatedAt, ...row }: Row): StoredSubscription {
  const given = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  // Written by this service alone, from values that it validated.
  return { ...given, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() } as unknown as StoredSubscription;
}
