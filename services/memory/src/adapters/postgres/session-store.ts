import type { Database, Tx } from '@plexus/database';
import type {
  AppendOutcome,
  KeptMessage,
  NewMessage,
  SessionIdentity,
  SessionRecord,
  SessionRetention,
  SessionStore,
} from '../../application/session-ports.js';
import type { MessageRange } from '../../domain/session-ranges.js';
import { MARK_COLUMNS, type MarkRow, MESSAGE_COLUMNS, type MessageRow, toKeptMessage, toSessionRecord } from './session-row.js';
import { inTenant } from './tenant-transaction.js';

const CREATE_MARK = `
  INSERT INTO session_mark (tenant_id, session_id, owner, session_key, agent_id, updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`;
const LOCK_MARK = `SELECT ${MARK_COLUMNS} FROM session_mark WHERE tenant_id = $1 AND session_id = $2 FOR UPDATE`;
const READ_MARK = `SELECT ${MARK_COLUMNS} FROM session_mark WHERE tenant_id = $1 AND session_id = $2 AND erased_at IS NULL`;
const KNOWN = 'SELECT message_id FROM session_msg WHERE tenant_id = $1 AND session_id = $2 AND message_id = ANY ($3::text[])';
const INSERT = `
  INSERT INTO session_msg (tenant_id, session_id, owner, seq, message_id, role, content, tools, run_id, untrusted, tokens, source_seq, at)
  SELECT $1, $2, $3, r.seq, r.message_id, r.role, r.content, r.tools, r.run_id, r.untrusted, r.tokens, r.source_seq, r.at
    FROM jsonb_to_recordset($4::jsonb)
      AS r (seq int, message_id text, role text, content text, tools jsonb, run_id text, untrusted boolean, tokens int, source_seq int, at timestamptz)`;
/** A session may have got another name since. */
const ADVANCE = `
  UPDATE session_mark SET last_seq = $3, source_seq = greatest(source_seq, $4::int), session_key = $5, agent_id = coalesce($6, agent_id), updated_at = $7
   WHERE tenant_id = $1 AND session_id = $2 RETURNING ${MARK_COLUMNS}`;
const MESSAGES = `SELECT ${MESSAGE_COLUMNS} FROM session_msg WHERE tenant_id = $1 AND session_id = $2 AND seq > $3 ORDER BY seq LIMIT $4`;
const LOAD = `
  SELECT coalesce(sum(tokens), 0)::float8 AS tokens, coalesce(sum(octet_length(content)), 0)::float8 AS bytes
    FROM session_msg WHERE tenant_id = $1 AND session_id = $2 AND seq > $3`;

const OPEN_FLUSH = 'SELECT from_seq, to_seq FROM session_flush WHERE tenant_id = $1 AND session_id = $2 AND done_at IS NULL ORDER BY from_seq LIMIT 1';
const BEGIN_FLUSH = 'INSERT INTO session_flush (tenant_id, session_id, from_seq, to_seq, begun_at) VALUES ($1, $2, $3, $4, $5)';
const END_FLUSH = 'UPDATE session_flush SET done_at = $4 WHERE tenant_id = $1 AND session_id = $2 AND from_seq = $3 AND done_at IS NULL RETURNING from_seq';
const IS_ENDED = 'SELECT from_seq FROM session_flush WHERE tenant_id = $1 AND session_id = $2 AND from_seq = $3';
const MARK_FLUSHED = `
  UPDATE session_mark SET flushed_upto = greatest(flushed_upto, $3), flushed_cycle = compactions, updated_at = $4
   WHERE tenant_id = $1 AND session_id = $2 RETURNING ${MARK_COLUMNS}`;
const MARK_COMPACTED = `
  UPDATE session_mark SET compacted_upto = $3, compactions = compactions + 1, summary = $4, updated_at = $5
   WHERE tenant_id = $1 AND session_id = $2 AND compacted_upto < $3 AND erased_at IS NULL RETURNING ${MARK_COLUMNS}`;

const FORGET_MESSAGES = 'DELETE FROM session_msg WHERE tenant_id = $1 AND session_id = $2 RETURNING 1 AS gone';
const FORGET_FLUSHES = 'DELETE FROM session_flush WHERE tenant_id = $1 AND session_id = $2';
/** The mark stays for a while, empty, so that a late redelivery brings nothing back. */
const FORGET_MARK = `
  INSERT INTO session_mark (tenant_id, session_id, owner, session_key, erased_at, updated_at) VALUES ($1, $2, '', '', $3, $3)
  ON CONFLICT (tenant_id, session_id) DO UPDATE SET owner = '', session_key = '', agent_id = NULL, summary = NULL, erased_at = $3, updated_at = $3`;

const SWEEP_MESSAGES = `
  WITH old AS (
    SELECT m.session_id, m.seq FROM session_msg m
      JOIN session_mark k ON k.tenant_id = m.tenant_id AND k.session_id = m.session_id AND m.seq <= k.compacted_upto
     WHERE m.tenant_id = $1 AND m.at < $2 LIMIT $3
  ), gone AS (DELETE FROM session_msg m USING old WHERE m.tenant_id = $1 AND m.session_id = old.session_id AND m.seq = old.seq RETURNING 1)
  SELECT count(*)::int AS swept FROM gone`;
const SWEEP_MARKS = `
  WITH old AS (SELECT session_id FROM session_mark WHERE tenant_id = $1 AND erased_at < $2 LIMIT $3),
       gone AS (DELETE FROM session_mark k USING old WHERE k.tenant_id = $1 AND k.session_id = old.session_id RETURNING 1)
  SELECT count(*)::int AS swept FROM gone`;

/** Sessions in Postgres or PGlite. Whoever changes a session holds the lock of its mark. */
export class PostgresSessionStore implements SessionStore, SessionRetention {
  constructor(private readonly database: Database) {}

  append(tenant: string, session: SessionIdentity, messages: readonly NewMessage[], at: Date, inOrder: boolean): Promise<AppendOutcome> {
    return inTenant(this.database, tenant, async (tx): Promise<AppendOutcome> => {
      const { sessionId, owner, sessionKey, agentId = null } = session;
      await tx.query('session_create_mark', CREATE_MARK, [tenant, sessionId, owner, sessionKey, agentId, at]);
      const mark = await lock(tx, tenant, sessionId);
      if (mark === undefined || mark.erased_at !== null) return { result: 'gone' };
      if (mark.owner !== owner) return { result: 'foreign' };
      const fresh = await unknownOf(tx, tenant, sessionId, messages);
      if (inOrder && isEarly(fresh, mark.source_seq)) return { result: 'early' };
      if (fresh.length > 0) await tx.query('session_append', INSERT, [tenant, sessionId, owner, toRecords(fresh, mark.last_seq)]);
      const sourceSeq = fresh.reduce<number | null>((highest, one) => Math.max(highest ?? 0, one.sourceSeq ?? 0) || null, null);
      const [row] = await tx.query<MarkRow>('session_advance', ADVANCE, [tenant, sessionId, mark.last_seq + fresh.length, sourceSeq, sessionKey, agentId, at]);
      return { result: 'appended', appended: fresh.length, duplicates: messages.length - fresh.length, record: toSessionRecord(row as MarkRow) };
    });
  }

  async read(tenant: string, sessionId: string): Promise<SessionRecord | undefined> {
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<MarkRow>('session_read_mark', READ_MARK, [tenant, sessionId]), { readOnly: true });
    return row && toSessionRecord(row);
  }

  async messages(tenant: string, sessionId: string, after: number, limit: number): Promise<KeptMessage[]> {
    const parameters = [tenant, sessionId, after, limit];
    const rows = await inTenant(this.database, tenant, (tx) => tx.query<MessageRow>('session_messages', MESSAGES, parameters), { readOnly: true });
    return rows.map(toKeptMessage);
  }

  async load(tenant: string, sessionId: string, after: number): Promise<{ tokens: number; bytes: number }> {
    const query = (tx: Tx) => tx.query<{ tokens: number; bytes: number }>('session_load', LOAD, [tenant, sessionId, after]);
    const [row] = await inTenant(this.database, tenant, query, { readOnly: true });
    return row ?? { tokens: 0, bytes: 0 };
  }

  beginFlush(tenant: string, sessionId: string, upto: number, at: Date): Promise<MessageRange | undefined> {
    return inTenant(this.database, tenant, async (tx) => {
      const mark = await lock(tx, tenant, sessionId);
      if (mark === undefined || mark.erased_at !== null) return undefined;
      const [open] = await tx.query<{ from_seq: number; to_seq: number }>('session_open_flush', OPEN_FLUSH, [tenant, sessionId]);
      if (open !== undefined) return { from: open.from_seq, to: open.to_seq };
      const range = { from: mark.flushed_upto + 1, to: Math.min(upto, mark.last_seq) };
      if (range.to < range.from) return undefined;
      await tx.query('session_begin_flush', BEGIN_FLUSH, [tenant, sessionId, range.from, range.to, at]);
      return range;
    });
  }

  endFlush(tenant: string, sessionId: string, range: MessageRange, at: Date): Promise<{ ended: boolean; record: SessionRecord } | undefined> {
    return inTenant(this.database, tenant, async (tx) => {
      const mark = await lock(tx, tenant, sessionId);
      if (mark === undefined || mark.erased_at !== null) return undefined;
      const ended = await tx.query('session_end_flush', END_FLUSH, [tenant, sessionId, range.from, at]);
      if (ended.length === 0) {
        // Without a trace the session was purged, and is one of the same id that began anew.
        const [other] = await tx.query('session_is_ended', IS_ENDED, [tenant, sessionId, range.from]);
        return other === undefined ? undefined : { ended: false, record: toSessionRecord(mark) };
      }
      const [row] = await tx.query<MarkRow>('session_mark_flushed', MARK_FLUSHED, [tenant, sessionId, range.to, at]);
      return { ended: true, record: toSessionRecord(row as MarkRow) };
    });
  }

  async compact(tenant: string, sessionId: string, upto: number, summary: string, at: Date): Promise<SessionRecord | undefined> {
    const parameters = [tenant, sessionId, upto, summary, at];
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<MarkRow>('session_mark_compacted', MARK_COMPACTED, parameters));
    return row && toSessionRecord(row);
  }

  forget(tenant: string, sessionId: string, at: Date): Promise<number> {
    return inTenant(this.database, tenant, async (tx) => {
      // The mark first: whoever appends or flushes waits for it, and finds it erased.
      await tx.query('session_forget_mark', FORGET_MARK, [tenant, sessionId, at]);
      await tx.query('session_forget_flushes', FORGET_FLUSHES, [tenant, sessionId]);
      return (await tx.query('session_forget', FORGET_MESSAGES, [tenant, sessionId])).length;
    });
  }

  async sweepSessions(tenant: string, before: { readonly messages: Date; readonly traces: Date }, limit: number): Promise<number> {
    const sweep = async (name: string, statement: string, at: Date) => {
      const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ swept: number }>(name, statement, [tenant, at, limit]));
      return row?.swept ?? 0;
    };
    const messages = await sweep('session_sweep', SWEEP_MESSAGES, before.messages);
    return Math.max(messages, await sweep('session_sweep_marks', SWEEP_MARKS, before.traces));
  }
}

async function lock(tx: Tx, tenant: string, sessionId: string): Promise<MarkRow | undefined> {
  const [row] = await tx.query<MarkRow>('session_lock_mark', LOCK_MARK, [tenant, sessionId]);
  return row;
}

async function unknownOf(tx: Tx, tenant: string, sessionId: string, messages: readonly NewMessage[]): Promise<NewMessage[]> {
  const ids = messages.map(({ messageId }) => messageId);
  const rows = await tx.query<{ message_id: string }>('session_known', KNOWN, [tenant, sessionId, ids]);
  const known = new Set(rows.map(({ message_id }) => message_id));
  return messages.filter(({ messageId }) => {
    if (known.has(messageId)) return false;
    known.add(messageId);
    return true;
  });
}

/** Also the first one that is known waits: the one before it may be in another's hands. */
function isEarly([first]: readonly NewMessage[], last: number | null): boolean {
  return first?.sourceSeq !== undefined && first.sourceSeq > (last ?? 0) + 1;
}

function toRecords(messages: readonly NewMessage[], lastSeq: number): string {
  return JSON.stringify(
    messages.map(({ messageId, role, text, toolCalls, toolCallId, toolName, runId, untrusted, tokens, sourceSeq, at }, index) => ({
      seq: lastSeq + index + 1,
      message_id: messageId,
      role,
      content: text,
      tools: toolCalls === undefined && toolCallId === undefined && toolName === undefined ? null : { toolCalls, toolCallId, toolName },
      run_id: runId ?? null,
      untrusted,
      tokens,
      source_seq: sourceSeq ?? null,
      at: at.toISOString(),
    })),
  );
}
