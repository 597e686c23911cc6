import type { Database } from '@plexus/database';
import { withAdvisoryLock } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { NewReplayJob, ReplayJob, ReplayJobStore } from '../../application/policies/replay-jobs.js';
import type { ReplayProgress } from '../../application/policies/replay-log.js';

const RUNNING = `SELECT count(*)::int AS running FROM policy_replay WHERE t = $1 AND state = 'running' AND alive_until > now()`;
const CREATE = `
  INSERT INTO policy_replay (t, id, version, digest, against, state, alive_until, mentions)
  VALUES ($1, $2, $3, $4, $5, 'running', now() + $6::double precision * interval '1 millisecond', '{}')`;
const BEAT = `
  UPDATE policy_replay SET inputs = $3, partitions = $4, alive_until = now() + $5::double precision * interval '1 millisecond'
   WHERE t = $1 AND id = $2 AND state = 'running' RETURNING cancel`;
const FINISH = `
  UPDATE policy_replay SET state = $3, error = $4, result = $5::json, mentions = $6::text[], inputs = coalesce($7, inputs), partitions = coalesce($8, partitions),
         finished_at = now()
   WHERE t = $1 AND id = $2 AND state = 'running'`;
const CANCEL = `UPDATE policy_replay SET cancel = true WHERE t = $1 AND id = $2 AND state = 'running' RETURNING 1`;
const GET = `
  SELECT id, version, digest, against, CASE WHEN state = 'running' AND alive_until <= now() THEN 'interrupted' ELSE state END AS state,
         inputs, partitions, error, result, created_at, finished_at
    FROM policy_replay WHERE t = $1 AND id = $2`;
const REGRESSIONS = `
  SELECT result FROM policy_replay
   WHERE t = $1 AND digest = $2 AND against = $3 AND state = 'done' AND (result ->> 'criticalRegressionCount')::int > 0
   ORDER BY created_at DESC LIMIT 1`;
const PRUNE = `DELETE FROM policy_replay WHERE created_at < now() - $1::double precision * interval '1 day'`;

interface Row {
  readonly id: string;
  readonly version: number | null;
  readonly digest: string;
  readonly against: number;
  readonly state: ReplayJob['state'];
  readonly inputs: number;
  readonly partitions: number;
  readonly error: string | null;
  readonly result: ReplayJob['result'] | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}

/** Replay jobs on Postgres. Whether a replica is alive is measured by the clock of the database alone. */
export class PostgresReplayJobStore implements ReplayJobStore {
  constructor(private readonly database: Database) {}

  create({ tenant, id, version, digest, against }: NewReplayJob, aliveMs: number, most: number): Promise<boolean> {
    return this.database.transaction((tx) =>
      withAdvisoryLock(tx, `push-replay:${this.database.schema}:${tenant}`, async () => {
        const [counted] = await tx.query<{ running: number }>('push_replays_running', RUNNING, [tenant]);
        if ((counted?.running ?? 0) >= most) return false;
        await tx.query('push_replay_create', CREATE, [tenant, id, version ?? null, digest, against, aliveMs]);
        return true;
      }),
    );
  }

  async beat(tenant: string, id: string, { inputs, partitions }: ReplayProgress, aliveMs: number): Promise<boolean> {
    const [row] = await this.database.query<{ cancel: boolean }>('push_replay_beat', BEAT, [tenant, id, inputs, partitions, aliveMs]);
    return row?.cancel === false;
  }

  async finish(tenant: string, id: string, end: Parameters<ReplayJobStore['finish']>[2]): Promise<void> {
    const done = end.state === 'done' ? end : undefined;
    await this.database.query('push_replay_finish', FINISH, [
      tenant,
      id,
      end.state,
      end.state === 'failed' ? toStorableText(end.error ?? '').slice(0, 2_000) : null,
      done === undefined ? null : JSON.stringify(done.finding.result),
      (done?.finding.mentions ?? []).map(toStorableText),
      done?.progress.inputs ?? null,
      done?.progress.partitions ?? null,
    ]);
  }

  async cancel(tenant: string, id: string): Promise<boolean> {
    return (await this.database.query('push_replay_cancel', CANCEL, [tenant, id])).length > 0;
  }

  async get(tenant: string, id: string): Promise<ReplayJob | undefined> {
    const [row] = await this.database.query<Row>('push_replay_get', GET, [tenant, id]);
    if (row === undefined) return undefined;
    return {
      jobId: row.id,
      state: row.state,
      progress: { inputs: row.inputs, partitions: row.partitions },
      against: row.against,
      digest: row.digest,
      createdAt: row.created_at.toISOString(),
      ...(row.version === null ? {} : { version: row.version }),
      ...(row.finished_at === null ? {} : { finishedAt: row.finished_at.toISOString() }),
      ...(row.error === null ? {} : { error: row.error }),
      ...(row.result === null || row.result === undefined ? {} : { result: row.result }),
    };
  }

  async regressions(tenant: string, digest: string, against: number): ReturnType<ReplayJobStore['regressions']> {
    const [row] = await this.database.query<Row>('push_replay_regressions', REGRESSIONS, [tenant, digest, against]);
    return row?.result ?? undefined;
  }

  async prune(days: number): Promise<void> {
    await this.database.query('push_replay_prune', PRUNE, [days]);
  }
}
