import { appendOutbox, type Database, type OutboxMessage } from '@plexus/database';
import type { DueTimers } from '../../application/deciding-ports.js';

/** A timer whose input has not come back for this long is sent again: a repeat is harmless, a lost one is not. */
const LOST_AFTER_MS = 15 * 60_000;

const FIRE = `
  WITH due AS (SELECT t, user_id, timer_id FROM timer
                WHERE fired_at IS NULL AND due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
  UPDATE timer m SET fired_at = now(), shots = m.shots + 1
    FROM due WHERE m.t = due.t AND m.user_id = due.user_id AND m.timer_id = due.timer_id
  RETURNING m.t AS tenant, m.user_id AS "user", m.timer_id AS "timerId", m.due_at AS "dueAt", m.shots`;
const NEXT = `SELECT (extract(epoch FROM min(due_at) - now()) * 1000)::float8 AS "inMs" FROM timer WHERE fired_at IS NULL`;
const FIND_LOST = "UPDATE timer SET fired_at = NULL WHERE fired_at < now() - $1::float8 * interval '1 millisecond'";

export interface FiredTimer {
  readonly tenant: string;
  readonly user: string;
  readonly timerId: string;
  readonly dueAt: Date;
  /** How often this row was sent: a repeat must not be taken for the first one by the stream. */
  readonly shots: number;
}

/** Due timers leave through the outbox of the transaction that marks them: none is lost, and any replica may do it. */
export class PostgresDueTimers implements DueTimers {
  constructor(
    private readonly database: Database,
    private readonly encode: (timer: FiredTimer) => readonly OutboxMessage[],
    private readonly afterCommit: () => void,
  ) {}

  async fire(limit: number): Promise<{ fired: number; nextInMs: number | undefined }> {
    const fired = await this.database.transaction(async (tx) => {
      const due = await tx.query<FiredTimer>('push_fire_timers', FIRE, [limit]);
      await appendOutbox(
        tx,
        due.flatMap((timer) => this.encode(timer)),
      );
      return due.length;
    });
    if (fired > 0) this.afterCommit();
    const [next] = await this.database.query<{ inMs: number | null }>('push_next_timer', NEXT);
    return { fired, nextInMs: next?.inMs ?? undefined };
  }

  async findLost(): Promise<void> {
    await this.database.query('push_lost_timers', FIND_LOST, [LOST_AFTER_MS]);
  }
}
