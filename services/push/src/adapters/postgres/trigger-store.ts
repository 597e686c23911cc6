import { appendOutbox, type Database, type OutboxMessage, type Tx } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type {
  NewRun,
  Outgoing,
  RunChange,
  ScheduleRun,
  StoredRun,
  StoredSchedule,
  TriggerStore,
  TriggerTransaction,
} from '../../application/triggers/trigger-ports.js';
import { RUN_COLUMNS, RUN_COLUMNS_OF_R, type RunRow, SCHEDULE_COLUMNS, type ScheduleRow, toRun, toSchedule } from './trigger-rows.js';

export type EncodeOutgoing = (message: Outgoing) => OutboxMessage[];

const CLAIM_DUE = `
  SELECT ${SCHEDULE_COLUMNS} FROM schedule WHERE next_at <= $1 ORDER BY next_at, t, id LIMIT $2 FOR UPDATE SKIP LOCKED`;

const RECORD_FIRING = `
  INSERT INTO schedule_run (t, schedule_id, due_at, user_id, trigger, state, reason, run_id, fired_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  ON CONFLICT DO NOTHING RETURNING 1 AS recorded`;

const START_RUN = `
  INSERT INTO dispatch_run (t, id, user_id, kind, source_id, dedup_key, request_hash, state, task, notice, recipients, caused_by, depth, due_at, deadline, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8::json, $9::json, $10, $11, $12, $13, $14, $13)
  ON CONFLICT (t, kind, source_id, dedup_key) DO NOTHING RETURNING ${RUN_COLUMNS}`;

/** One replica each: whoever claims moves the row into the future and raises its revision, so that a slower one can change nothing. */
const CLAIM_RUNS = `
  UPDATE dispatch_run r SET due_at = $2, revision = r.revision + 1
    FROM (SELECT t, id FROM dispatch_run WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) due
   WHERE r.t = due.t AND r.id = due.id
  RETURNING ${RUN_COLUMNS_OF_R}`;

const ADVANCE = `
  UPDATE dispatch_run
     SET state = $4, agent_run_id = COALESCE($5, agent_run_id), session_key = COALESCE($6, session_key), result = $7, error_code = $8, error_message = $9,
         attempts = $10, due_at = $11, ended_at = $12, revision = revision + 1
   WHERE t = $1 AND id = $2 AND revision = $3
  RETURNING 1 AS advanced`;

const PRUNE_RUNS = `
  DELETE FROM dispatch_run WHERE (t, id) IN (SELECT t, id FROM dispatch_run WHERE ended_at < $1 LIMIT $2) RETURNING 1 AS gone`;
const PRUNE_FIRINGS = `
  DELETE FROM schedule_run WHERE (t, schedule_id, due_at) IN (SELECT t, schedule_id, due_at FROM schedule_run WHERE fired_at < $1 LIMIT $2) RETURNING 1 AS gone`;

/** Schedules, rules and runs on Postgres; what is published goes into the outbox of the same transaction. */
export class PostgresTriggerStore implements TriggerStore {
  constructor(
    private readonly database: Database,
    private readonly encode: EncodeOutgoing,
    private readonly afterCommit: () => void,
  ) {}

  async transaction<T>(work: (transaction: TriggerTransaction) => Promise<T>): Promise<T> {
    const result = await this.database.transaction((tx) => work(new PostgresTriggerTransaction(tx, this.encode)));
    this.afterCommit();
    return result;
  }

  async claimRuns(now: number, until: number, limit: number): Promise<StoredRun[]> {
    return (await this.database.query<RunRow>('push_claim_runs', CLAIM_RUNS, [new Date(now), new Date(until), limit])).map(toRun);
  }

  async prune(before: Date, limit: number): Promise<number> {
    const runs = await this.database.query('push_prune_runs', PRUNE_RUNS, [before, limit]);
    const firings = await this.database.query('push_prune_firings', PRUNE_FIRINGS, [before, limit]);
    return runs.length + firings.length;
  }
}

class PostgresTriggerTransaction implements TriggerTransaction {
  constructor(
    private readonly tx: Tx,
    private readonly encode: EncodeOutgoing,
  ) {}

  async claimDue(now: number, limit: number): Promise<StoredSchedule[]> {
    return (await this.tx.query<ScheduleRow>('push_claim_due', CLAIM_DUE, [new Date(now), limit])).map(toSchedule);
  }

  async lockSchedule(tenant: string, id: string): Promise<StoredSchedule | undefined> {
    const [row] = await this.tx.query<ScheduleRow>('push_lock_schedule', `SELECT ${SCHEDULE_COLUMNS} FROM schedule WHERE t = $1 AND id = $2 FOR UPDATE`, [
      tenant,
      id,
    ]);
    return row && toSchedule(row);
  }

  async recordFiring({ tenant, id, owner }: StoredSchedule, run: ScheduleRun): Promise<boolean> {
    const values = [tenant, id, new Date(run.dueAt), owner, run.trigger, run.state, run.reason ?? null, run.runId ?? null, new Date(run.firedAt)];
    return (await this.tx.query('push_record_firing', RECORD_FIRING, values)).length > 0;
  }

  async moveSchedule({ tenant, id }: StoredSchedule, nextAt: number | undefined): Promise<void> {
    await this.tx.query(
      'push_move_schedule',
      'UPDATE schedule SET next_at = $3, enabled = enabled AND (at IS NULL OR $3::timestamptz IS NOT NULL) WHERE t = $1 AND id = $2',
      [tenant, id, nextAt === undefined ? null : new Date(nextAt)],
    );
  }

  async hasOpenRun(tenant: string, kind: NewRun['kind'], sourceId: string): Promise<boolean> {
    const sql = 'SELECT 1 AS open FROM dispatch_run WHERE t = $1 AND source_id = $2 AND kind = $3 AND due_at IS NOT NULL LIMIT 1';
    return (await this.tx.query('push_open_run', sql, [tenant, sourceId, kind])).length > 0;
  }

  async startRun(run: NewRun): Promise<{ readonly run: StoredRun; readonly created: boolean }> {
    const task = { ...run.task, message: toStorableText(run.task.message) };
    const [made] = await this.tx.query<RunRow>('push_start_run', START_RUN, [
      ...[run.tenant, run.id, run.owner, run.kind, run.sourceId, run.dedupKey, run.requestHash, JSON.stringify(task)],
      ...[
        run.notice === undefined ? null : JSON.stringify(run.notice),
        run.recipients,
        run.causedBy === undefined ? null : toStorableText(run.causedBy),
        run.depth,
      ],
      ...[new Date(run.createdAt), new Date(run.deadline)],
    ]);
    if (made !== undefined) return { run: toRun(made), created: true };
    const sql = `SELECT ${RUN_COLUMNS} FROM dispatch_run WHERE t = $1 AND kind = $2 AND source_id = $3 AND dedup_key = $4`;
    const [known] = await this.tx.query<RunRow>('push_known_run', sql, [run.tenant, run.kind, run.sourceId, run.dedupKey]);
    // Removed by an erasure between the two statements: then there is nothing to begin either.
    if (known === undefined) return { run: { ...run, state: 'failed', attempts: 0, revision: 0 }, created: false };
    return { run: toRun(known), created: false };
  }

  async hasRun(tenant: string, kind: NewRun['kind'], sourceId: string, dedupKey: string): Promise<boolean> {
    const sql = 'SELECT 1 AS known FROM dispatch_run WHERE t = $1 AND kind = $2 AND source_id = $3 AND dedup_key = $4';
    return (await this.tx.query('push_has_run', sql, [tenant, kind, sourceId, dedupKey])).length > 0;
  }

  async countRuns(tenant: string, { kind, sourceId, owner }: Parameters<TriggerTransaction['countRuns']>[1], since: number): Promise<number> {
    const [by, value] = sourceId === undefined ? ['user_id', owner ?? ''] : ['source_id', sourceId];
    await this.tx.query('push_lock_budget', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS locked', [`runs:${tenant}:${kind}:${by}:${value}`]);
    const sql = `SELECT count(*)::int AS runs FROM dispatch_run WHERE t = $1 AND ${by} = $2 AND kind = $3 AND created_at > $4`;
    const [row] = await this.tx.query<{ runs: number }>(`push_count_runs_${by}`, sql, [tenant, value, kind, new Date(since)]);
    return row?.runs ?? 0;
  }

  async depthOf(tenant: string, agentRunId: string): Promise<number> {
    const [row] = await this.tx.query<{ depth: number }>(
      'push_depth_of',
      'SELECT depth FROM dispatch_run WHERE t = $1 AND agent_run_id = $2 ORDER BY depth DESC LIMIT 1',
      [tenant, toStorableText(agentRunId)],
    );
    return row?.depth ?? 0;
  }

  async refuse(tenant: string, ruleId: string): Promise<void> {
    await this.tx.query('push_refuse', 'UPDATE dispatch_rule SET refused = refused + 1 WHERE t = $1 AND id = $2', [tenant, ruleId]);
  }

  async advance(run: StoredRun, change: RunChange): Promise<boolean> {
    const text = (value: string | undefined) => (value === undefined ? null : toStorableText(value));
    const time = (value: number | undefined) => (value === undefined ? null : new Date(value));
    const values = [
      ...[run.tenant, run.id, run.revision, change.state, change.agentRunId ?? null, change.sessionKey ?? null],
      ...[text(change.result), text(change.error?.code), text(change.error?.message), change.attempts ?? 0, time(change.dueAt), time(change.endedAt)],
    ];
    return (await this.tx.query('push_advance_run', ADVANCE, values)).length > 0;
  }

  problemOf(messages: readonly Outgoing[]): string | undefined {
    try {
      for (const message of messages) this.encode(message);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async publish(messages: readonly Outgoing[]): Promise<void> {
    await appendOutbox(
      this.tx,
      messages.flatMap((message) => this.encode(message)),
    );
  }
}
