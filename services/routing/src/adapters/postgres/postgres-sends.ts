import type { Tx } from '@plexus/database';
import type { AccountState, SendDraft, SendStatements, StoredAttempt, StoredSend } from '../../application/send-ports.js';
import { type AccountRow, type SendRow, sendColumns, targetOf, toAccount, toSend } from './send-rows.js';

const INSERT = `
  INSERT INTO sends (tenant, owner, send_id, idempotency_key, request_hash, origin, status, channel, account_id, pinned, target, text, attachments, mirror,
                     run_id, session_key, deadline_at, config_revision, due_at)
  VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, $10::jsonb, $11, $12::jsonb, $13::jsonb, $14, $15, $16, $17, now())
  ON CONFLICT (tenant, owner, idempotency_key) DO NOTHING RETURNING ${sendColumns()}`;

/** Messages of one chat leave in the order in which they were wanted: a later one is not due before the earlier ones are through. */
export const CLAIM_DUE = `
  SELECT ${sendColumns()} FROM sends
   WHERE status IN ('waiting', 'sending') AND due_at <= now()
     AND NOT EXISTS (SELECT 1 FROM sends AS earlier WHERE earlier.tenant = sends.tenant AND earlier.channel = sends.channel
                     AND earlier.target->>'to' = sends.target->>'to' AND earlier.status IN ('waiting', 'sending') AND earlier.id < sends.id)
   ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED`;

const LOCK_ACCOUNTS = `
  SELECT account_id, breaker, health FROM channel_health WHERE tenant = $1 AND channel = $2 AND account_id = ANY ($3) ORDER BY account_id FOR UPDATE`;

const OPEN_ATTEMPT = `
  WITH moved AS (UPDATE sends SET status = 'sending', attempt = $2, due_at = now() + $5::bigint * interval '1 millisecond' WHERE id = $1)
  INSERT INTO delivery_attempts (send_ref, attempt, account_id, probe) VALUES ($1, $2, $3, $4)
  ON CONFLICT (send_ref, attempt) DO UPDATE SET account_id = EXCLUDED.account_id, probe = EXCLUDED.probe, started_at = now(), ended_at = NULL, outcome = NULL`;

const SETTLE_ATTEMPT = `
  UPDATE delivery_attempts SET ended_at = now(), outcome = $3, reason = $4, error = $5
   WHERE send_ref = $1 AND attempt = $2 AND outcome IS NULL RETURNING account_id, probe, started_at`;

const WAIT = `
  UPDATE sends SET status = 'waiting', due_at = now() + $2::bigint * interval '1 millisecond', tried = $3::jsonb WHERE id = $1`;

const END = `
  UPDATE sends SET status = $2, sent_account_id = COALESCE($3, sent_account_id), message_id = COALESCE($4, message_id), error_code = $5, error_message = $6,
                   due_at = NULL, ended_at = now() WHERE id = $1`;

export class PostgresSends implements SendStatements {
  constructor(private readonly tx: Tx) {}

  async insert(draft: SendDraft): Promise<{ send: StoredSend; created: boolean }> {
    const { tenant, owner, sendId, idempotencyKey, requestHash, origin, route, pinned, text, attachments, mirror, runId, sessionKey } = draft;
    const [row] = await this.tx.query<SendRow>('routing_insert_send', INSERT, [
      ...[tenant, owner, sendId, idempotencyKey, requestHash, origin, route.channel, route.accountId, pinned, targetOf(draft), text],
      ...[JSON.stringify(attachments), mirror === undefined ? null : JSON.stringify(mirror), runId ?? null, sessionKey ?? null],
      ...[draft.deadlineAt, draft.configRevision],
    ]);
    if (row) return { send: toSend(row), created: true };
    const known = `SELECT ${sendColumns()} FROM sends WHERE tenant = $1 AND owner = $2 AND idempotency_key = $3`;
    const [found] = await this.tx.query<SendRow>('routing_known_send', known, [tenant, owner, idempotencyKey]);
    if (!found) throw new Error('a send that is known cannot be found');
    return { send: toSend(found), created: false };
  }

  async claimDue(): Promise<StoredSend | undefined> {
    const [row] = await this.tx.query<SendRow>('routing_claim_send', CLAIM_DUE, []);
    return row && toSend(row);
  }

  async lock(tenant: string, sendId: string): Promise<StoredSend | undefined> {
    const text = `SELECT ${sendColumns()} FROM sends WHERE tenant = $1 AND send_id = $2 FOR UPDATE`;
    const [row] = await this.tx.query<SendRow>('routing_lock_send', text, [tenant, sendId]);
    return row && toSend(row);
  }

  async find(tenant: string, owner: string, sendId: string): Promise<StoredSend | undefined> {
    const text = `SELECT ${sendColumns()} FROM sends WHERE tenant = $1 AND owner = $2 AND send_id = $3`;
    const [row] = await this.tx.query<SendRow>('routing_find_send', text, [tenant, owner, sendId]);
    return row && toSend(row);
  }

  async lockAccounts(tenant: string, channel: string, accountIds: readonly string[]): Promise<AccountState[]> {
    const values = [tenant, channel, [...accountIds].sort()];
    const add = 'INSERT INTO channel_health (tenant, channel, account_id) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING';
    await this.tx.query('routing_add_accounts', add, values);
    return (await this.tx.query<AccountRow>('routing_lock_accounts', LOCK_ACCOUNTS, values)).map(toAccount);
  }

  async saveAccount(tenant: string, channel: string, { accountId, circuit, health }: AccountState): Promise<void> {
    const text = 'UPDATE channel_health SET breaker = $4::jsonb, health = $5::jsonb, updated_at = now() WHERE tenant = $1 AND channel = $2 AND account_id = $3';
    await this.tx.query('routing_save_account', text, [tenant, channel, accountId, JSON.stringify(circuit), JSON.stringify(health)]);
  }

  async openAttempt(
    send: StoredSend,
    { number, accountId, probe, dueInMs }: { number: number; accountId: string; probe: boolean; dueInMs: number },
  ): Promise<void> {
    await this.tx.query('routing_open_attempt', OPEN_ATTEMPT, [send.ref, number, accountId, probe, dueInMs]);
  }

  async openRepeat(send: StoredSend, attempt: number, accountId: string): Promise<void> {
    const text = 'INSERT INTO delivery_attempts (send_ref, attempt, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';
    await this.tx.query('routing_open_repeat', text, [send.ref, attempt, accountId]);
  }

  async settleAttempt(
    send: StoredSend,
    attempt: number,
    outcome: { ok: boolean; reason?: string | undefined; error?: string | undefined },
  ): Promise<StoredAttempt | undefined> {
    type Row = { account_id: string; probe: boolean; started_at: Date };
    const values = [send.ref, attempt, outcome.ok ? 'ok' : 'failed', outcome.reason ?? null, outcome.error ?? null];
    const [row] = await this.tx.query<Row>('routing_settle_attempt', SETTLE_ATTEMPT, values);
    return row && { accountId: row.account_id, probe: row.probe, startedAt: row.started_at };
  }

  async lastReasons(send: StoredSend): Promise<{ accountId: string; reason?: string | undefined }[]> {
    const text =
      'SELECT DISTINCT ON (account_id) account_id, reason FROM delivery_attempts WHERE send_ref = $1 AND outcome = $2 ORDER BY account_id, attempt DESC';
    const rows = await this.tx.query<{ account_id: string; reason: string | null }>('routing_last_reasons', text, [send.ref, 'failed']);
    return rows.map((row) => ({ accountId: row.account_id, reason: row.reason ?? undefined }));
  }

  async setBack({ ref }: Pick<StoredSend, 'ref'>, dueInMs: number): Promise<void> {
    await this.tx.query('routing_set_back_send', `UPDATE sends SET due_at = now() + $2::bigint * interval '1 millisecond' WHERE id = $1`, [ref, dueInMs]);
  }

  async wait(send: StoredSend, dueInMs: number, tried: readonly string[]): Promise<void> {
    await this.tx.query('routing_wait_send', WAIT, [send.ref, Math.ceil(dueInMs), JSON.stringify(tried)]);
  }

  async end(send: StoredSend, end: Parameters<SendStatements['end']>[1]): Promise<void> {
    const values = end.status === 'sent' ? [end.accountId, end.messageId ?? null, null, null] : [null, null, end.error.code, end.error.message.slice(0, 1_000)];
    await this.tx.query('routing_end_send', END, [send.ref, end.status, ...values]);
  }
}
