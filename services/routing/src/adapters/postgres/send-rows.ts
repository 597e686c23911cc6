import { CLOSED_CIRCUIT, type CircuitState, type HealthState } from '@plexus/routing-core';
import type { AccountState, Mirror, SendAttachment, SendDraft, SendStatus, StoredSend } from '../../application/send-ports.js';
import type { ReplyRoute } from '../../domain/reply-route.js';

/** `target` of a send: what the adapter needs beside channel and account. */
type Target = Omit<ReplyRoute, 'channel' | 'accountId'> & { readonly silent?: boolean };

export interface SendRow {
  id: number;
  tenant: string;
  owner: string;
  send_id: string;
  idempotency_key: string;
  request_hash: string;
  origin: SendDraft['origin'];
  status: SendStatus;
  channel: string;
  account_id: string;
  pinned: boolean;
  target: Target;
  text: string;
  attachments: SendAttachment[];
  mirror: Mirror | null;
  run_id: string | null;
  session_key: string | null;
  attempt: number;
  tried: string[];
  deadline_at: Date;
  sent_account_id: string | null;
  message_id: string | null;
  error_code: string | null;
  error_message: string | null;
  config_revision: number;
  created_at: Date;
  ended_at: Date | null;
}

const SEND =
  'id tenant owner send_id idempotency_key request_hash origin status channel account_id pinned target text attachments mirror run_id session_key attempt tried deadline_at sent_account_id message_id error_code error_message config_revision created_at ended_at';

export const sendColumns = (table = 'sends'): string =>
  SEND.split(' ')
    .map((name) => `${table}.${name}`)
    .join(', ');

export function targetOf({ route, silent }: SendDraft): string {
  const { channel: _channel, accountId: _accountId, ...target } = route;
  return JSON.stringify({ ...target, ...(silent === undefined ? {} : { silent }) } satisfies Target);
}

export function toSend(row: SendRow): StoredSend {
  const { silent, ...target } = row.target;
  return {
    ref: row.id,
    tenant: row.tenant,
    owner: row.owner,
    sendId: row.send_id,
    idempotencyKey: row.idempotency_key,
    requestHash: row.request_hash,
    origin: row.origin,
    status: row.status,
    route: { channel: row.channel, accountId: row.account_id, ...target },
    pinned: row.pinned,
    silent,
    text: row.text,
    attachments: row.attachments,
    mirror: row.mirror ?? undefined,
    runId: row.run_id ?? undefined,
    sessionKey: row.session_key ?? undefined,
    attempt: row.attempt,
    tried: row.tried,
    deadlineAt: row.deadline_at,
    sentAccountId: row.sent_account_id ?? undefined,
    messageId: row.message_id ?? undefined,
    error: row.error_code === null ? undefined : { code: row.error_code, message: row.error_message ?? row.error_code },
    configRevision: row.config_revision,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
  };
}

export interface AccountRow {
  account_id: string;
  breaker: Partial<CircuitState>;
  health: { slots?: HealthState['slots']; lastSuccessAt?: number | null; lastFailureAt?: number | null };
}

export function toAccount({ account_id: accountId, breaker, health }: AccountRow): AccountState {
  return {
    accountId,
    circuit: { ...CLOSED_CIRCUIT, ...breaker },
    health: {
      slots: health.slots ?? [],
      ...(health.lastSuccessAt == null ? {} : { lastSuccessAt: health.lastSuccessAt }),
      ...(health.lastFailureAt == null ? {} : { lastFailureAt: health.lastFailureAt }),
    },
  };
}
