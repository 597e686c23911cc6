import type { RunEnd } from '@plexus/contracts';
import { appendOutbox, type OutboxMessage, type Tx } from '@plexus/database';
import type {
  MessageContent,
  MessageDraft,
  Outgoing,
  RoutingTransaction,
  RunDraft,
  StoredRun,
  StoredSession,
  StreamPosition,
  TranscriptMessage,
} from '../../application/ports.js';
import type { ChannelStatements } from '../../application/channel-ports.js';
import type { GrantStatements } from '../../application/grant-ports.js';
import type { SendStatements } from '../../application/send-ports.js';
import type { Owner } from '../../domain/caller.js';
import type { HistoryMessage } from '../../domain/run-start.js';
import type { SessionAddress } from '../../domain/session-address.js';
import type { SessionEntry } from '../../domain/session-entry.js';
import { PostgresChannels } from './postgres-channels.js';
import { PostgresGrants } from './postgres-grants.js';
import { PostgresSends } from './postgres-sends.js';
import { type RunRow, runColumns, type SessionRow, sessionColumns, toRun, toSession } from './rows.js';

/** Turns a fact into the bytes that leave the outbox. */
export type EncodeOutgoing = (outgoing: Outgoing) => OutboxMessage;

const OPEN_SESSION = `
  INSERT INTO sessions (tenant, owner, session_key, session_id, agent_id, kind, label) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (tenant, owner, session_key) DO UPDATE SET agent_id = EXCLUDED.agent_id
  RETURNING ${sessionColumns()}`;

const RENEW_SESSION = `
  UPDATE sessions SET session_id = $2, message_count = 0, active_run_id = NULL, stream_seq = 0, stream_epoch = 0, release_at = NULL, updated_at = GREATEST(updated_at, now())
   WHERE id = $1 RETURNING ${sessionColumns()}`;

const FIND_RUN_AND_QUEUE = `
  SELECT (SELECT count(*) FROM runs AS waiting WHERE waiting.session_id = $4 AND waiting.status = 'queued' AND waiting.merged_into IS NULL)::int AS queued, ${runColumns('run')}
    FROM (SELECT 1) AS one LEFT JOIN runs AS run ON run.tenant = $1 AND run.owner = $2 AND run.run_id = $3`;

const APPEND_MESSAGE = `
  WITH counted AS (UPDATE sessions SET message_count = message_count + 1, updated_at = GREATEST(updated_at, now()) WHERE id = $1 RETURNING id, session_id, message_count)
  INSERT INTO messages (session_id, seq, message_id, session_ref, role, text, run_id, label, idempotency_key, sender, at, attachments)
  SELECT session_id, message_count, $2, id, $3, $4, $5, $6, $7, $8::jsonb, COALESCE($9::timestamptz, now()), $10::jsonb FROM counted RETURNING seq, at`;

const APPEND_MESSAGES = `
  WITH counted AS (UPDATE sessions SET message_count = message_count + $2::int, updated_at = GREATEST(updated_at, now()) WHERE id = $1 RETURNING id, session_id, message_count)
  INSERT INTO messages (session_id, seq, message_id, session_ref, role, text, run_id, label, idempotency_key, sender, at)
  SELECT counted.session_id, counted.message_count - $2::int + m.position, m.message_id, counted.id, m.role, m.text, m.run_id, m.label, m.idempotency_key, m.sender::jsonb,
         COALESCE(m.at, now())
    FROM counted, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])
         WITH ORDINALITY AS m (message_id, role, text, run_id, label, idempotency_key, sender, at, position)
   ORDER BY m.position RETURNING seq, at`;

const HISTORY = `
  SELECT recent.role, recent.text FROM (
    SELECT m.seq, m.role, m.text, sum(octet_length(m.text)) OVER (ORDER BY m.seq DESC) AS bytes
      FROM messages AS m LEFT JOIN runs AS r ON m.role = 'user' AND r.session_id = m.session_id AND r.run_id = m.run_id
     WHERE m.session_id = $1 AND m.seq <> $2 AND r.status IS DISTINCT FROM 'queued'
     ORDER BY m.seq DESC LIMIT $3) AS recent
   WHERE recent.bytes <= $4 ORDER BY recent.seq`;

const BIND_ATTACHMENTS = `
  UPDATE attachments AS a SET session_ref = $1
   WHERE a.tenant = $2 AND a.uploader = $3 AND a.attachment_id = ANY ($4::text[]) AND a.session_ref IS NULL
     AND a.created_at > now() - interval '1 hour'
     AND a.bytes = (SELECT sum(octet_length(p.data)) FROM attachment_parts AS p WHERE p.attachment_id = a.attachment_id)
  RETURNING a.attachment_id`;

const INSERT_RUN = `
  WITH activated AS (UPDATE sessions SET active_run_id = $4 WHERE id = $5 AND $11 = 'started')
  INSERT INTO runs (tenant, owner, session_key, run_id, session_ref, session_id, agent_id, request_hash, message_seq, extra_system_prompt, status, timeout_ms,
                    config_revision, queue_mode, reply_route, started_at, due_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb,
          CASE WHEN $11 = 'started' THEN now() END, CASE WHEN $11 = 'started' THEN now() + $12::int * interval '1 millisecond' END)
  RETURNING ${runColumns()}`;

const START_RUN = `
  WITH activated AS (UPDATE sessions SET active_run_id = $3 WHERE id = $2)
  UPDATE runs SET status = 'started', started_at = now(), due_at = now() + timeout_ms * interval '1 millisecond' WHERE id = $1`;

/** The stream still holds events of every incarnation: an erasure must find them. */
const NOTE_GONE = `
  INSERT INTO gone_sessions (session_id, tenant, owner)
  SELECT ids.session_id, sessions.tenant, sessions.owner FROM sessions, LATERAL (
    SELECT sessions.session_id UNION SELECT session_id FROM runs WHERE session_ref = sessions.id UNION SELECT session_id FROM messages WHERE session_ref = sessions.id
  ) AS ids WHERE sessions.id = $1 ON CONFLICT DO NOTHING`;

const MERGE_RUNS = `UPDATE runs SET merged_into = $2 WHERE id = ANY ($1) AND status = 'queued'`;

export const CLAIM_RELEASE = `
  SELECT ${sessionColumns()} FROM sessions WHERE release_at <= now() ORDER BY release_at LIMIT 1 FOR UPDATE SKIP LOCKED`;

const END_RUN = `
  WITH freed AS (UPDATE sessions SET active_run_id = NULL, updated_at = GREATEST(updated_at, now()) WHERE id = $2 AND active_run_id = $3)
  UPDATE runs SET status = $4, text = $5, error_code = $6, error_message = $7, ended_at = now(), due_at = NULL WHERE id = $1`;

/**
 * Back as well, because a rebuilt stream counts from the beginning again and another VM may have a lower epoch. The row is locked and only an open
 * run gets here, so an end that comes again moves nothing; and sequence and epoch are of one place that was read, so a position that is
 * further back than it could be costs reading and never misleads.
 */
const MOVE_POSITION = 'UPDATE sessions SET stream_seq = $2, stream_epoch = $3 WHERE id = $1';

const POSTPONE = `
  UPDATE runs SET due_at = now() + $2::int * interval '1 millisecond' WHERE id = $1 AND status = 'started' RETURNING id`;

/** {@link RoutingTransaction} in named statements. */
export class PostgresTransaction implements RoutingTransaction {
  readonly #tx: Tx;
  readonly #encode: EncodeOutgoing;
  readonly channels: ChannelStatements;
  readonly sends: SendStatements;
  readonly grants: GrantStatements;

  constructor(tx: Tx, encode: EncodeOutgoing) {
    this.#tx = tx;
    this.#encode = encode;
    this.channels = new PostgresChannels(tx);
    this.sends = new PostgresSends(tx);
    this.grants = new PostgresGrants(tx);
  }

  async openSession(address: SessionAddress, sessionId: string, label?: string): Promise<{ session: StoredSession; created: boolean }> {
    const { tenant, owner, sessionKey, agentId, kind } = address;
    const rows = await this.#tx.query<SessionRow>('routing_open_session', OPEN_SESSION, [tenant, owner, sessionKey, sessionId, agentId, kind, label ?? null]);
    const session = toSession(only(rows));
    return { session, created: session.sessionId === sessionId };
  }

  async lockSession({ tenant, owner }: Owner, sessionKey: string): Promise<StoredSession | undefined> {
    const text = `SELECT ${sessionColumns()} FROM sessions WHERE tenant = $1 AND owner = $2 AND session_key = $3 FOR UPDATE`;
    const [row] = await this.#tx.query<SessionRow>('routing_lock_session', text, [tenant, owner, sessionKey]);
    return row && toSession(row);
  }

  async lockSessionByRef(ref: number): Promise<StoredSession | undefined> {
    const [row] = await this.#tx.query<SessionRow>('routing_lock_session_ref', `SELECT ${sessionColumns()} FROM sessions WHERE id = $1 FOR UPDATE`, [ref]);
    return row && toSession(row);
  }

  async setLabel(session: StoredSession, label: string | null): Promise<void> {
    await this.#tx.query('routing_label_session', 'UPDATE sessions SET label = $2, updated_at = GREATEST(updated_at, now()) WHERE id = $1', [
      session.ref,
      label,
    ]);
  }

  async setEntry(session: StoredSession, entry: SessionEntry): Promise<void> {
    const text = 'UPDATE sessions SET entry = $2::jsonb, updated_at = GREATEST(updated_at, now()) WHERE id = $1';
    await this.#tx.query('routing_session_entry', text, [session.ref, JSON.stringify(entry)]);
  }

  async setRelease(session: StoredSession, at: number | undefined): Promise<void> {
    const text = 'UPDATE sessions SET release_at = $2::timestamptz WHERE id = $1 AND release_at IS DISTINCT FROM $2::timestamptz';
    await this.#tx.query('routing_session_release', text, [session.ref, at === undefined ? null : new Date(at)]);
  }

  async claimRelease(): Promise<StoredSession | undefined> {
    const [row] = await this.#tx.query<SessionRow>('routing_claim_release', CLAIM_RELEASE, []);
    return row && toSession(row);
  }

  async deleteSession(session: StoredSession): Promise<void> {
    await this.#tx.query('routing_note_gone', NOTE_GONE, [session.ref]);
    await this.#tx.query('routing_delete_session', 'DELETE FROM sessions WHERE id = $1', [session.ref]);
  }

  async renewSession(session: StoredSession, sessionId: string): Promise<StoredSession> {
    return toSession(only(await this.#tx.query<SessionRow>('routing_renew_session', RENEW_SESSION, [session.ref, sessionId])));
  }

  async findRunAndQueue({ tenant, owner }: Owner, runId: string, sessionId: string): Promise<{ run?: StoredRun | undefined; queued: number }> {
    type Joined = { queued: number } & (RunRow | { [K in keyof RunRow]: null });
    const row = only(await this.#tx.query<Joined>('routing_find_run_and_queue', FIND_RUN_AND_QUEUE, [tenant, owner, runId, sessionId]));
    return { queued: row.queued, run: row.id === null ? undefined : toRun(row) };
  }

  async findRun(id: number): Promise<StoredRun | undefined> {
    const [row] = await this.#tx.query<RunRow>('routing_run_by_id', `SELECT ${runColumns()} FROM runs WHERE id = $1`, [id]);
    return row && toRun(row);
  }

  async openRuns(sessionId: string): Promise<StoredRun[]> {
    const text = `SELECT ${runColumns()} FROM runs WHERE session_id = $1 AND status IN ('queued', 'started') ORDER BY id`;
    return (await this.#tx.query<RunRow>('routing_open_runs', text, [sessionId])).map(toRun);
  }

  async findMessageByKey(session: StoredSession, idempotencyKey: string): Promise<{ messageId: string; text: string } | undefined> {
    const text = 'SELECT message_id, text FROM messages WHERE session_ref = $1 AND idempotency_key = $2';
    const [row] = await this.#tx.query<{ message_id: string; text: string }>('routing_message_by_key', text, [session.ref, idempotencyKey]);
    return row && { messageId: row.message_id, text: row.text };
  }

  async knownMessageKeys(session: StoredSession, idempotencyKeys: readonly string[]): Promise<ReadonlySet<string>> {
    const text = 'SELECT idempotency_key AS key FROM messages WHERE session_ref = $1 AND idempotency_key = ANY ($2::text[])';
    const rows = await this.#tx.query<{ key: string }>('routing_known_message_keys', text, [session.ref, idempotencyKeys]);
    return new Set(rows.map(({ key }) => key));
  }

  async messageContent(sessionId: string, seq: number): Promise<MessageContent> {
    type Row = { text: string; attachments: MessageContent['attachments'] | null };
    const text = 'SELECT text, attachments FROM messages WHERE session_id = $1 AND seq = $2';
    const row = only(await this.#tx.query<Row>('routing_message_content', text, [sessionId, seq]));
    return { text: row.text, ...(row.attachments === null ? {} : { attachments: row.attachments }) };
  }

  async bindAttachments(session: StoredSession, uploader: string, attachmentIds: readonly string[]): Promise<boolean> {
    const bound = await this.#tx.query('routing_bind_attachments', BIND_ATTACHMENTS, [session.ref, session.tenant, uploader, attachmentIds]);
    return bound.length === attachmentIds.length;
  }

  async appendMessage(session: StoredSession, draft: MessageDraft): Promise<TranscriptMessage> {
    const { messageId, role, text, runId, label, idempotencyKey, sender, at, attachments } = draft;
    const values = [session.ref, messageId, role, text, runId ?? null, label ?? null, idempotencyKey ?? null, sender ? JSON.stringify(sender) : null];
    const rest = [at ?? null, attachments === undefined ? null : JSON.stringify(attachments)];
    const row = only(await this.#tx.query<AppendedRow>('routing_append_message', APPEND_MESSAGE, [...values, ...rest]));
    return toTranscript(draft, row);
  }

  async appendMessages(session: StoredSession, drafts: readonly Omit<MessageDraft, 'attachments'>[]): Promise<TranscriptMessage[]> {
    if (drafts.length === 0) return [];
    const column = (of: (draft: (typeof drafts)[number]) => unknown) => drafts.map((draft) => of(draft) ?? null);
    const texts = [column((draft) => draft.messageId), column((draft) => draft.role), column((draft) => draft.text), column((draft) => draft.runId)];
    const marks = [column((draft) => draft.label), column((draft) => draft.idempotencyKey), column(({ sender }) => sender && JSON.stringify(sender))];
    const values = [session.ref, drafts.length, ...texts, ...marks, column((draft) => draft.at)];
    const rows = await this.#tx.query<AppendedRow>('routing_append_messages', APPEND_MESSAGES, values);
    const inOrder = rows.toSorted((a, b) => a.seq - b.seq);
    return drafts.map((draft, index) => toTranscript(draft, inOrder[index] as AppendedRow));
  }

  history(sessionId: string, exceptSeq: number, limit: { messages: number; bytes: number }): Promise<HistoryMessage[]> {
    return this.#tx.query<HistoryMessage>('routing_history', HISTORY, [sessionId, exceptSeq, limit.messages, limit.bytes]);
  }

  async insertRun(session: StoredSession, draft: RunDraft): Promise<StoredRun> {
    const { tenant, owner, sessionKey, ref, sessionId, agentId } = session;
    const { runId, requestHash, messageSeq, extraSystemPrompt, timeoutMs, started, configRevision, queueMode, replyRoute } = draft;
    const address = [tenant, owner, sessionKey, runId, ref, sessionId, agentId];
    const values = [...address, requestHash, messageSeq, extraSystemPrompt ?? null, started ? 'started' : 'queued', timeoutMs];
    const routing = [configRevision, queueMode, replyRoute === undefined ? null : JSON.stringify(replyRoute)];
    return toRun(only(await this.#tx.query<RunRow>('routing_insert_run', INSERT_RUN, [...values, ...routing])));
  }

  async startRun(session: StoredSession, run: StoredRun): Promise<void> {
    await this.#tx.query('routing_start_run', START_RUN, [run.id, session.ref, run.runId]);
  }

  async mergeRuns(leader: StoredRun, merged: readonly StoredRun[]): Promise<void> {
    if (merged.length === 0) return;
    await this.#tx.query('routing_merge_runs', MERGE_RUNS, [merged.map((run) => run.id), leader.runId]);
  }

  async endRun(session: StoredSession, run: StoredRun, end: RunEnd): Promise<void> {
    const text = end.status === 'ok' || end.status === 'cancelled' ? end.text : '';
    const values = [run.id, session.ref, run.runId, end.status, text || null, end.error?.code ?? null, end.error?.message ?? null];
    await this.#tx.query('routing_end_run', END_RUN, values);
  }

  async movePosition(session: StoredSession, position: StreamPosition): Promise<void> {
    await this.#tx.query('routing_move_position', MOVE_POSITION, [session.ref, position.seq, position.epoch]);
  }

  async postpone(id: number, delayMs: number): Promise<boolean> {
    return (await this.#tx.query('routing_postpone_run', POSTPONE, [id, delayMs])).length === 1;
  }

  async publish(outgoing: readonly Outgoing[]): Promise<void> {
    await appendOutbox(this.#tx, outgoing.map(this.#encode));
  }
}

interface AppendedRow {
  readonly seq: number;
  readonly at: Date;
}

function toTranscript({ messageId, role, text, runId, label, sender, attachments }: MessageDraft, { seq, at }: AppendedRow): TranscriptMessage {
  const optional = { ...(runId === undefined ? {} : { runId }), ...(label === undefined ? {} : { label }), ...(sender === undefined ? {} : { sender }) };
  return { messageId, seq, role, text, ...optional, at: at.toISOString(), ...(attachments === undefined ? {} : { attachments: [...attachments] }) };
}

/** The one row of a statement that always has one. */
export function only<R>(rows: readonly R[]): R {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that always returns a row returned none');
  return row;
}
