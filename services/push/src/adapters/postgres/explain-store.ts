import type { Database } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { EventReference, ExplainedSubscription, ExplainStore, FoundDecisions } from '../../application/policies/explain-ports.js';
import type { TraceStep, Verdict } from '../../domain/engine/types.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import { FOLLOWED_COLUMNS } from './subscription-index.js';
import { maySee } from './may-see.js';

/** Most decisions of one explanation, and how many repeats are shown with them. */
const MOST_DECISIONS = 97;
const SHOWN_REPEATS = 3;

/** The hash finds the rows by the index; the id itself tells those apart whose hashes are equal. */
const FITS = `
  d.t = $1 AND hashtextextended(d.event_id, 0) = hashtextextended($2, 0) AND d.event_id = $2
  AND ($3::text IS NULL OR d.event_source = $3) AND ($4::text IS NULL OR d.event_origin = $4)`;

const EVENTS = `
  SELECT d.event_origin AS origin, d.event_source AS source, count(*) FILTER (WHERE d.reason = 'duplicate_event')::int AS repeats, max(d.id) AS newest
    FROM decision d WHERE ${FITS} AND d.user_id = $5 GROUP BY 1, 2 ORDER BY newest DESC LIMIT 1000`;

/** Escalations of an event have keys of their own, so it is the name of the event that holds its decisions together. */
const DECISION_COLUMNS =
  'd.id, d.event_origin, d.event_source, d.event_id, d.event_type, d.verdict, d.reason, d.terminal, d.delivery_id, d.policy_version, d.trace, d.at, d.until';
const DECISIONS = `
  SELECT * FROM (SELECT ${DECISION_COLUMNS}, 0 AS part FROM decision d
                  WHERE ${FITS} AND d.user_id = $5 AND d.reason <> 'duplicate_event' ORDER BY d.id LIMIT ${MOST_DECISIONS}) AS own
  UNION ALL
  SELECT * FROM (SELECT ${DECISION_COLUMNS}, 1 AS part FROM decision d
                  WHERE ${FITS} AND d.user_id = $5 AND d.reason = 'duplicate_event' ORDER BY d.id LIMIT ${SHOWN_REPEATS}) AS repeated
  ORDER BY part, id`;

/** The first decision of a user about an event is made at its candidate, later ones perhaps at timers. */
const POSITION = `SELECT d.input_seq FROM decision d WHERE ${FITS} ORDER BY d.id LIMIT 20`;

const FEEDBACK = 'SELECT delivery_id, useful, note, at FROM feedback WHERE t = $1 AND user_id = $2 AND delivery_id = ANY ($3::text[])';

const SUBSCRIPTIONS = `
  SELECT ${FOLLOWED_COLUMNS}, (extract(epoch FROM greatest(s.created_at, s.updated_at)) * 1000)::float8 AS "changedAt"
    FROM subscription s WHERE s.t = $1 AND s.user_id = $2 ORDER BY s.created_at, s.id LIMIT 1000`;

const HIDDEN = `
  SELECT EXISTS (
    SELECT FROM unnest($3::text[], $4::text[]) AS scope (kind, ref)
      LEFT JOIN access_grant u ON u.t = $1 AND u.scope_kind = scope.kind AND u.scope_ref = scope.ref AND u.user_id = $2
      LEFT JOIN access_grant s ON s.t = $1 AND s.scope_kind = scope.kind AND s.scope_ref = scope.ref AND s.user_id = '_'
     WHERE NOT (${maySee('$5::timestamptz')})
  ) AS hidden`;

interface DecisionRow {
  readonly id: number;
  readonly event_origin: string;
  readonly event_source: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly terminal: boolean;
  readonly delivery_id: string | null;
  readonly policy_version: number;
  readonly trace: TraceStep[];
  readonly at: Date;
  readonly until: Date | null;
}

interface FeedbackRow {
  readonly delivery_id: string;
  readonly useful: boolean;
  readonly note: string | null;
  readonly at: Date;
}

/** Explanations on Postgres: two or three lookups by index, whatever the number of decisions. */
export class PostgresExplainStore implements ExplainStore {
  constructor(private readonly database: Database) {}

  async decisionsOf(tenant: string, user: string, event: EventReference): Promise<FoundDecisions | undefined> {
    const events = await this.database.query<{ origin: string; source: string; repeats: number }>('push_explain_events', EVENTS, [
      ...reference(tenant, event),
      user,
    ]);
    const [newest] = events;
    if (newest === undefined) return undefined;
    const rows = await this.database.query<DecisionRow>('push_explain_decisions', DECISIONS, [...reference(tenant, { ...event, ...newest }), user]);
    const [first] = rows;
    if (first === undefined) return undefined;
    const deliveries = [...new Set(rows.flatMap(({ delivery_id: id }) => (id === null ? [] : [id])))];
    const given = deliveries.length === 0 ? [] : await this.database.query<FeedbackRow>('push_explain_feedback', FEEDBACK, [tenant, user, deliveries]);
    const feedback = new Map(given.map(({ delivery_id: id, ...row }) => [id, toFeedback(row)]));
    return {
      event: { origin: first.event_origin, source: first.event_source, id: first.event_id, type: first.event_type },
      decisions: rows.map((row) => ({ ...toDecision(row), ...feedbackOf(feedback, row.delivery_id) })),
      repeats: Math.max(0, newest.repeats - SHOWN_REPEATS),
      others: events.length - 1,
    };
  }

  async candidatePosition(tenant: string, event: EventReference): Promise<number | undefined> {
    const rows = await this.database.query<{ input_seq: number }>('push_explain_position', POSITION, reference(tenant, event));
    return rows.length === 0 ? undefined : Math.min(...rows.map(({ input_seq: seq }) => Number(seq)));
  }

  async subscriptionsOf(tenant: string, user: string): Promise<ExplainedSubscription[]> {
    return this.database.query<ExplainedSubscription>('push_explain_subscriptions', SUBSCRIPTIONS, [tenant, user]);
  }

  async isHidden(tenant: string, user: string, { caseId, topics }: Pick<IncomingEvent, 'caseId' | 'topics'>, now: Date): Promise<boolean> {
    const scopes = [...(caseId === undefined ? [] : [['case', caseId]]), ...topics.map((topic) => ['topic', topic])].map(([kind, ref]) => [
      kind,
      toStorableText(ref ?? ''),
    ]);
    if (scopes.length === 0) return false;
    const parameters = [tenant, user, scopes.map(([kind]) => kind), scopes.map(([, ref]) => ref), now];
    const [row] = await this.database.query<{ hidden: boolean }>('push_explain_hidden', HIDDEN, parameters);
    return row?.hidden ?? false;
  }
}

function reference(tenant: string, { id, source, origin }: EventReference): unknown[] {
  return [tenant, toStorableText(id), source === undefined ? null : toStorableText(source), origin ?? null];
}

function toDecision(row: DecisionRow): FoundDecisions['decisions'][number] {
  const { verdict, reason, terminal, trace } = row;
  return {
    verdict,
    reason,
    terminal,
    at: row.at.getTime(),
    policyVersion: row.policy_version,
    trace: trace.map(({ stage, rule, verdict: passed, version, input }) => ({
      stage,
      rule,
      verdict: passed,
      ...(version === undefined ? {} : { version }),
      ...(input === undefined ? {} : { input }),
    })),
    ...(row.delivery_id === null ? {} : { deliveryId: row.delivery_id }),
    ...(row.until === null ? {} : { until: row.until.getTime() }),
  };
}

function toFeedback({ useful, note, at }: Omit<FeedbackRow, 'delivery_id'>): { useful: boolean; at: string; note?: string } {
  return { useful, at: at.toISOString(), ...(note === null ? {} : { note }) };
}

function feedbackOf<T>(feedback: ReadonlyMap<string, T>, deliveryId: string | null): { feedback?: T } {
  const given = deliveryId === null ? undefined : feedback.get(deliveryId);
  return given === undefined ? {} : { feedback: given };
}
