import type { ReplyRoute } from '../../domain/reply-route.js';
import type { QueueMode } from '../../domain/queue-policy.js';
import type { SessionEntry } from '../../domain/session-entry.js';
import type { Role, RunStatus, StoredRun, StoredSession, TranscriptMessage } from '../../application/ports.js';

/** Columns of `sessions` as the statements return them. */
export interface SessionRow {
  id: number;
  tenant: string;
  owner: string;
  session_key: string;
  session_id: string;
  agent_id: string;
  kind: string;
  label: string | null;
  message_count: number;
  active_run_id: string | null;
  stream_seq: number;
  stream_epoch: number;
  created_at: Date;
  updated_at: Date;
  entry: SessionEntry;
}

export interface RunRow {
  id: number;
  tenant: string;
  owner: string;
  run_id: string;
  session_ref: number;
  session_id: string;
  session_key: string;
  agent_id: string;
  status: RunStatus;
  request_hash: string;
  message_seq: number;
  extra_system_prompt: string | null;
  timeout_ms: number;
  text: string | null;
  error_code: string | null;
  error_message: string | null;
  created_at: Date;
  ended_at: Date | null;
  config_revision: number;
  merged_into: string | null;
  queue_mode: QueueMode;
  reply_route: ReplyRoute | null;
}

export interface MessageRow {
  message_id: string;
  seq: number;
  role: Role;
  text: string;
  run_id: string | null;
  label: string | null;
  at: Date;
  sender: TranscriptMessage['sender'] | null;
  attachments: TranscriptMessage['attachments'] | null;
}

const columns = (names: string, table: string): string =>
  names
    .split(' ')
    .map((name) => `${table}.${name}`)
    .join(', ');

const SESSION = 'id tenant owner session_key session_id agent_id kind label message_count active_run_id stream_seq stream_epoch created_at updated_at entry';
const RUN =
  'id tenant owner run_id session_ref session_id session_key agent_id status request_hash message_seq extra_system_prompt timeout_ms text error_code error_message created_at ended_at config_revision merged_into queue_mode reply_route';
const MESSAGE = 'message_id seq role text run_id label at sender attachments';

export const sessionColumns = (table = 'sessions'): string => columns(SESSION, table);
export const runColumns = (table = 'runs'): string => columns(RUN, table);
export const messageColumns = (table = 'messages'): string => columns(MESSAGE, table);

export function toSession(row: SessionRow): StoredSession {
  return {
    ref: row.id,
    tenant: row.tenant,
    owner: row.owner,
    sessionKey: row.session_key,
    sessionId: row.session_id,
    agentId: row.agent_id,
    kind: row.kind,
    label: row.label ?? undefined,
    messageCount: row.message_count,
    activeRunId: row.active_run_id ?? undefined,
    position: { seq: row.stream_seq, epoch: row.stream_epoch },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    entry: row.entry,
  };
}

export function toRun(row: RunRow): StoredRun {
  return {
    id: row.id,
    tenant: row.tenant,
    owner: row.owner,
    runId: row.run_id,
    sessionRef: row.session_ref,
    sessionId: row.session_id,
    sessionKey: row.session_key,
    agentId: row.agent_id,
    status: row.status,
    requestHash: row.request_hash,
    messageSeq: row.message_seq,
    extraSystemPrompt: row.extra_system_prompt ?? undefined,
    timeoutMs: row.timeout_ms,
    text: row.text ?? undefined,
    error: row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? row.error_code },
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
    configRevision: row.config_revision,
    mergedInto: row.merged_into ?? undefined,
    queueMode: row.queue_mode,
    replyRoute: row.reply_route ?? undefined,
  };
}

export function toMessage(row: MessageRow): TranscriptMessage {
  return {
    messageId: row.message_id,
    seq: row.seq,
    role: row.role,
    text: row.text,
    ...(row.run_id === null ? {} : { runId: row.run_id }),
    ...(row.label === null ? {} : { label: row.label }),
    ...(row.sender === null ? {} : { sender: row.sender }),
    ...(row.attachments === null ? {} : { attachments: row.attachments }),
    at: row.at.toISOString(),
  };
}
