import type { Tx } from '@plexus/database';
import type { ChannelStatements, InboundId, PairingRequest, Person } from '../../application/channel-ports.js';

const CLAIM = `
  INSERT INTO inbound_messages (tenant, source, account_id, chat_id, message_id, sender_id, config_revision, outcome)
  VALUES ($1, $2, $3, $4, $5, $6, $7, 'taken') ON CONFLICT DO NOTHING RETURNING id`;

const DECISION = `
  SELECT decision FROM channel_admissions
   WHERE tenant = $1 AND channel = $2 AND account_id = $3 AND sender_id = $4 AND (decision = 'approved' OR decided_at > now() - interval '7 days')`;

const DECIDE = `
  INSERT INTO channel_admissions (tenant, channel, account_id, sender_id, decision, decided_by) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (tenant, channel, account_id, sender_id) DO UPDATE SET decision = EXCLUDED.decision, decided_by = EXCLUDED.decided_by, decided_at = now()`;

const OPEN_REQUESTS = `
  SELECT count(*)::int AS open, (count(*) FILTER (WHERE sender_id = $4))::int AS own
    FROM pairing_requests WHERE tenant = $1 AND channel = $2 AND account_id = $3 AND expires_at > now()`;

const OPEN_PAIRING = `
  INSERT INTO pairing_requests AS known (tenant, channel, account_id, sender_id, sender_name, code, chat_id, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::bigint * interval '1 millisecond')
  ON CONFLICT (tenant, channel, account_id, sender_id) DO UPDATE SET
    messages = known.messages + 1, sender_name = EXCLUDED.sender_name,
    code = CASE WHEN known.expires_at <= now() THEN EXCLUDED.code ELSE known.code END,
    created_at = CASE WHEN known.expires_at <= now() THEN now() ELSE known.created_at END,
    expires_at = CASE WHEN known.expires_at <= now() THEN EXCLUDED.expires_at ELSE known.expires_at END
  RETURNING code`;

const PAIRING = 'tenant, channel, account_id, sender_id, sender_name, code, chat_id, messages, created_at, expires_at';

const COUNT_FAILURE = `
  INSERT INTO pairing_attempts AS known (tenant, caller, failures, window_ends_at) VALUES ($1, $2, 1, now() + $3::bigint * interval '1 millisecond')
  ON CONFLICT (tenant, caller) DO UPDATE SET
    failures = CASE WHEN known.window_ends_at <= now() THEN 1 ELSE known.failures + 1 END,
    window_ends_at = CASE WHEN known.window_ends_at <= now() THEN EXCLUDED.window_ends_at ELSE known.window_ends_at END`;

interface PairingRow {
  tenant: string;
  channel: string;
  account_id: string;
  sender_id: string;
  sender_name: string | null;
  code: string;
  chat_id: string;
  messages: number;
  created_at: Date;
  expires_at: Date;
}

/** Dedupe of inbound messages, and who may write. */
export class PostgresChannels implements ChannelStatements {
  constructor(private readonly tx: Tx) {}

  async claimInbound({ tenant, source, accountId, chatId, messageId, senderId, configRevision }: InboundId): Promise<number | undefined> {
    const values = [tenant, source, accountId, chatId, messageId, senderId, configRevision];
    return (await this.tx.query<{ id: number }>('routing_claim_inbound', CLAIM, values))[0]?.id;
  }

  async settleInbound(id: number, outcome: string, runId?: string): Promise<void> {
    await this.tx.query('routing_settle_inbound', 'UPDATE inbound_messages SET outcome = $2, run_id = $3 WHERE id = $1', [id, outcome, runId ?? null]);
  }

  async decisionAbout({ tenant, channel, accountId, senderId }: Person): Promise<'approved' | 'rejected' | undefined> {
    type Row = { decision: 'approved' | 'rejected' };
    return (await this.tx.query<Row>('routing_admission', DECISION, [tenant, channel, accountId, senderId]))[0]?.decision;
  }

  async decide({ tenant, channel, accountId, senderId }: Person, decision: 'approved' | 'rejected', by: string): Promise<void> {
    await this.tx.query('routing_decide', DECIDE, [tenant, channel, accountId, senderId, decision, by]);
  }

  async openPairing(
    request: Omit<PairingRequest, 'messages' | 'createdAt' | 'expiresAt'>,
    limits: { ttlMs: number; open: number },
  ): Promise<'fresh' | 'known' | 'full'> {
    const { tenant, channel, accountId, senderId, senderName, code, chatId } = request;
    type Count = { open: number; own: number };
    const [count] = await this.tx.query<Count>('routing_open_pairings', OPEN_REQUESTS, [tenant, channel, accountId, senderId]);
    if (count && count.own === 0 && count.open >= limits.open) return 'full';
    const values = [tenant, channel, accountId, senderId, senderName ?? null, code, chatId, limits.ttlMs];
    const [row] = await this.tx.query<{ code: string }>('routing_open_pairing', OPEN_PAIRING, values);
    return row?.code === code ? 'fresh' : 'known';
  }

  async findPairing(tenant: string, code: string, channel?: string): Promise<PairingRequest | undefined> {
    const text = `SELECT ${PAIRING} FROM pairing_requests WHERE tenant = $1 AND code = $2 AND ($3::text IS NULL OR channel = $3) AND expires_at > now() FOR UPDATE`;
    const [row] = await this.tx.query<PairingRow>('routing_find_pairing', text, [tenant, code, channel ?? null]);
    return row && toPairing(row);
  }

  async closePairing({ tenant, code }: PairingRequest): Promise<void> {
    await this.tx.query('routing_close_pairing', 'DELETE FROM pairing_requests WHERE tenant = $1 AND code = $2', [tenant, code]);
  }

  async listPairings(tenant: string, channel?: string): Promise<PairingRequest[]> {
    const text = `SELECT ${PAIRING} FROM pairing_requests WHERE tenant = $1 AND ($2::text IS NULL OR channel = $2) AND expires_at > now() ORDER BY created_at DESC LIMIT 500`;
    return (await this.tx.query<PairingRow>('routing_list_pairings', text, [tenant, channel ?? null])).map(toPairing);
  }

  async failuresOf(tenant: string, caller: string): Promise<number> {
    const text = 'SELECT failures FROM pairing_attempts WHERE tenant = $1 AND caller = $2 AND window_ends_at > now()';
    return (await this.tx.query<{ failures: number }>('routing_pairing_failures', text, [tenant, caller]))[0]?.failures ?? 0;
  }

  async countFailure(tenant: string, caller: string, windowMs: number): Promise<void> {
    await this.tx.query('routing_pairing_failed', COUNT_FAILURE, [tenant, caller, windowMs]);
  }
}

function toPairing(row: PairingRow): PairingRequest {
  return {
    tenant: row.tenant,
    channel: row.channel,
    accountId: row.account_id,
    senderId: row.sender_id,
    senderName: row.sender_name ?? undefined,
    code: row.code,
    chatId: row.chat_id,
    messages: row.messages,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
