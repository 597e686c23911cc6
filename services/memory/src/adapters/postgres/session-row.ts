import type { KeptMessage, SessionRecord } from '../../application/session-ports.js';

export interface MarkRow {
  readonly session_id: string;
  readonly owner: string;
  readonly session_key: string;
  readonly agent_id: string | null;
  readonly last_seq: number;
  readonly source_seq: number | null;
  readonly flushed_upto: number;
  readonly compacted_upto: number;
  readonly compactions: number;
  readonly flushed_cycle: number | null;
  readonly summary: string | null;
  readonly erased_at: Date | null;
}

export const MARK_COLUMNS =
  'session_id, owner, session_key, agent_id, last_seq, source_seq, flushed_upto, compacted_upto, compactions, flushed_cycle, summary, erased_at';

export interface MessageRow {
  readonly seq: number;
  readonly message_id: string;
  readonly role: KeptMessage['role'];
  readonly content: string;
  readonly tools: Pick<KeptMessage, 'toolCalls' | 'toolCallId' | 'toolName'> | null;
  readonly run_id: string | null;
  readonly untrusted: boolean;
  readonly tokens: number;
  readonly at: Date;
}

export const MESSAGE_COLUMNS = 'seq, message_id, role, content, tools, run_id, untrusted, tokens, at';

export function toSessionRecord(row: MarkRow): SessionRecord {
  return {
    sessionId: row.session_id,
    owner: row.owner,
    sessionKey: row.session_key,
    ...(row.agent_id === null ? {} : { agentId: row.agent_id }),
    lastSeq: row.last_seq,
    flushedUpto: row.flushed_upto,
    compactedUpto: row.compacted_upto,
    compactions: row.compactions,
    flushedCycle: row.flushed_cycle,
    ...(row.summary === null ? {} : { summary: row.summary }),
  };
}

export function toKeptMessage(row: MessageRow): KeptMessage {
  return {
    seq: row.seq,
    messageId: row.message_id,
    role: row.role,
    text: row.content,
    ...row.tools,
    ...(row.run_id === null ? {} : { runId: row.run_id }),
    untrusted: row.untrusted,
    tokens: row.tokens,
    at: row.at,
  };
}
