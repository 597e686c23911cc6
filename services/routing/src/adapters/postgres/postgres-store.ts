import { type Database, isUniqueViolation } from '@plexus/database';
import type { SessionGrant } from '../../application/grant-ports.js';
import type { RoutingStore, RoutingTransaction, StoredRun, StoredSession, StreamPosition, TranscriptMessage } from '../../application/ports.js';
import type { Owner } from '../../domain/caller.js';
import { type EncodeOutgoing, PostgresTransaction } from './postgres-transaction.js';
import { type GrantRow, toGrant } from './postgres-grants.js';
import { type MessageRow, messageColumns, type RunRow, runColumns, type SessionRow, sessionColumns, toMessage, toRun, toSession } from './rows.js';

const RUN_IN_SESSION = `
  SELECT ${runColumns()}, sessions.stream_seq, sessions.stream_epoch
    FROM runs LEFT JOIN sessions ON sessions.id = runs.session_ref AND sessions.session_id = runs.session_id
   WHERE runs.session_id = $2 AND runs.run_id = $3 AND runs.tenant = $1`;

const MESSAGES = `
  SELECT page.* FROM (
    SELECT ${messageColumns()}, sum(octet_length(messages.text)) OVER (ORDER BY messages.seq DESC) - octet_length(messages.text) AS bytes_after
      FROM messages WHERE messages.session_id = $1 AND messages.seq < $2 ORDER BY messages.seq DESC LIMIT $3) AS page
   WHERE page.bytes_after < $4 ORDER BY page.seq`;

const MESSAGES_AFTER = `
  SELECT page.* FROM (
    SELECT ${messageColumns()}, sum(octet_length(messages.text)) OVER (ORDER BY messages.seq) - octet_length(messages.text) AS bytes_before
      FROM messages WHERE messages.session_id = $1 AND messages.seq > $2 ORDER BY messages.seq LIMIT $3) AS page
   WHERE page.bytes_before < $4 ORDER BY page.seq`;

const CLAIM_DUE_RUNS = `
  UPDATE runs SET due_at = now() + $2::int * interval '1 millisecond'
   WHERE id IN (SELECT id FROM runs WHERE status = 'started' AND due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
  RETURNING ${runColumns()}`;

const NOTE_ACTIVITY = `UPDATE runs SET due_at = $2::timestamptz + timeout_ms * interval '1 millisecond' WHERE id = $1 AND status = 'started'`;

/** The session is locked first, as by everybody who changes it: an end of the run that is closed at the same time comes before or after. */
const CONFIRM_STEER = `
  WITH session AS MATERIALIZED (SELECT id FROM sessions WHERE tenant = $1 AND session_id = $2 AND active_run_id = $4 FOR UPDATE)
  UPDATE runs SET merged_into = $4 FROM session
   WHERE runs.tenant = $1 AND runs.session_id = $2 AND runs.run_id = $3 AND runs.run_id <> $4 AND runs.status = 'queued' AND runs.queue_mode = 'steer'
     AND session.id = runs.session_ref AND runs.merged_into IS NULL`;

const MAX_SEQ = 2_147_483_647;

/** {@link RoutingStore} on the service's own schema. `afterCommit` is called after every transaction, to hurry the outbox relay. */
export class PostgresStore implements RoutingStore {
  readonly #database: Database;
  readonly #encode: EncodeOutgoing;
  readonly #afterCommit: () => void;

  constructor(database: Database, encode: EncodeOutgoing, afterCommit: () => void) {
    this.#database = database;
    this.#encode = encode;
    this.#afterCommit = afterCommit;
  }

  async transaction<T>(work: (tx: RoutingTransaction) => Promise<T>): Promise<T> {
    const result = await this.#runOnceMore(() => this.#database.transaction((tx) => work(new PostgresTransaction(tx, this.#encode))));
    this.#afterCommit();
    return result;
  }

  async findSession({ tenant, owner }: Owner, sessionKey: string): Promise<StoredSession | undefined> {
    const text = `SELECT ${sessionColumns()} FROM sessions WHERE tenant = $1 AND owner = $2 AND session_key = $3`;
    const [row] = await this.#database.query<SessionRow>('routing_session', text, [tenant, owner, sessionKey]);
    return row && toSession(row);
  }

  async findRun({ tenant, owner }: Owner, runId: string): Promise<StoredRun | undefined> {
    const text = `SELECT ${runColumns()} FROM runs WHERE tenant = $1 AND owner = $2 AND run_id = $3`;
    const [row] = await this.#database.query<RunRow>('routing_run', text, [tenant, owner, runId]);
    return row && toRun(row);
  }

  async findRunInSession(tenant: string, sessionId: string, runId: string): Promise<{ run: StoredRun; position?: StreamPosition | undefined } | undefined> {
    type Joined = RunRow & { stream_seq: number | null; stream_epoch: number | null };
    const [row] = await this.#database.query<Joined>('routing_run_in_session', RUN_IN_SESSION, [tenant, sessionId, runId]);
    if (!row) return undefined;
    const { stream_seq: seq, stream_epoch: epoch } = row;
    return { run: toRun(row), position: seq === null || epoch === null ? undefined : { seq, epoch } };
  }

  async messages(sessionId: string, page: { before?: number | undefined; limit: number; maxBytes: number }): Promise<TranscriptMessage[]> {
    const before = Math.min(page.before ?? MAX_SEQ, MAX_SEQ);
    return (await this.#database.query<MessageRow>('routing_messages', MESSAGES, [sessionId, before, page.limit, page.maxBytes])).map(toMessage);
  }

  async messagesAfter(sessionId: string, page: { after: number; limit: number; maxBytes: number }): Promise<TranscriptMessage[]> {
    const values = [sessionId, Math.min(page.after, MAX_SEQ), page.limit, page.maxBytes];
    return (await this.#database.query<MessageRow>('routing_messages_after', MESSAGES_AFTER, values)).map(toMessage);
  }

  async claimDueRuns(limit: number, leaseMs: number): Promise<StoredRun[]> {
    return (await this.#database.query<RunRow>('routing_claim_due_runs', CLAIM_DUE_RUNS, [limit, leaseMs])).map(toRun);
  }

  async noteActivity(id: number, lastEventAt: Date): Promise<void> {
    await this.#database.query('routing_note_activity', NOTE_ACTIVITY, [id, lastEventAt]);
  }

  async findGrant(session: StoredSession, grantee: string): Promise<SessionGrant | undefined> {
    const text = 'SELECT grantee, access, granted_by, granted_at FROM session_grants WHERE session_ref = $1 AND grantee = $2';
    const [row] = await this.#database.query<GrantRow>('routing_grant', text, [session.ref, grantee]);
    return row && toGrant(row);
  }

  async confirmSteer(tenant: string, sessionId: string, { runId, activeRunId }: { runId: string; activeRunId: string }): Promise<void> {
    await this.#database.query('routing_confirm_steer', CONFIRM_STEER, [tenant, sessionId, runId, activeRunId]);
  }

  /**
   * Two first messages under one run id in two sessions exclude each other only through the unique key: the loser runs again and then finds
   * the run of the winner.
   */
  async #runOnceMore<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isUniqueViolation(error, 'runs_tenant_owner_run_id_key')) throw error;
      return work();
    }
  }
}
