import { type Database, isUniqueViolation } from '@plexus/database';
import type { ChannelIdentity, ErasureRecord, MaintenanceStore, StoredKey } from '../../application/maintenance-ports.js';

const RENAME = `
  WITH renamed AS (UPDATE sessions SET session_key = $2 WHERE id = $1 RETURNING id, tenant, owner),
       runs_renamed AS (UPDATE runs SET session_key = $2 WHERE session_ref = $1)
  SELECT id FROM renamed`;

const ERASURE = 'erasure_id, tenant, user_id, requested_by, requested_at, expected';

const NOTE_RECEIPT = `
  INSERT INTO erasure_receipts (erasure_id, service, counts, problem) VALUES ($1, $2, $3::jsonb, $4)
  ON CONFLICT (erasure_id, service) DO UPDATE SET counts = EXCLUDED.counts, problem = EXCLUDED.problem, at = now()`;

const INCARNATIONS = `
  SELECT session_id FROM sessions WHERE tenant = $1 AND owner = $2
  UNION SELECT runs.session_id FROM runs JOIN sessions ON sessions.id = runs.session_ref WHERE sessions.tenant = $1 AND sessions.owner = $2
  UNION SELECT messages.session_id FROM messages JOIN sessions ON sessions.id = messages.session_ref WHERE sessions.tenant = $1 AND sessions.owner = $2
  UNION SELECT session_id FROM gone_sessions WHERE tenant = $1 AND owner = $2`;

const OWN_KEYS = `
  SELECT session_key FROM sessions WHERE tenant = $1 AND owner = $2
  EXCEPT SELECT session_key FROM sessions WHERE tenant = $1 AND owner <> $2`;

/** A worker that has not stopped yet goes on speaking for a while: the stream is purged once more a minute later, and a last time after that. */
const NOTE_ERASED = `
  INSERT INTO gone_sessions (session_id, tenant, owner, purge_at) SELECT id, $1, $2, now() + interval '1 minute' FROM unnest($3::text[]) AS id
  ON CONFLICT (session_id) DO UPDATE SET gone_at = now(), purge_at = EXCLUDED.purge_at`;

const CLAIM_PURGE = `
  UPDATE gone_sessions SET purge_at = now() + interval '15 minutes'
   WHERE session_id = (SELECT session_id FROM gone_sessions WHERE purge_at <= now() ORDER BY purge_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING tenant, session_id, gone_at < now() - interval '10 minutes' AS last`;

/** Each statement removes one kind of thing of a person; `$3` are the ids of its channels as `[{channel?, id}]`. */
const OF_PERSON = `(SELECT item->>'id' AS id, item->>'channel' AS channel FROM jsonb_array_elements($3::jsonb) AS item)`;
const IS_PERSON = (column: string, channel: string) =>
  `EXISTS (SELECT 1 FROM ${OF_PERSON} AS person WHERE lower(person.id) = lower(${column}) AND COALESCE(person.channel, ${channel}) = ${channel})`;

const ERASE: readonly (readonly [string, string])[] = [
  [
    'attachments',
    `DELETE FROM attachments WHERE tenant = $1 AND (uploader = $2 OR session_ref IN (SELECT id FROM sessions WHERE tenant = $1 AND owner = $2)) AND $3::jsonb IS NOT NULL`,
  ],
  ['sessions', 'DELETE FROM sessions WHERE tenant = $1 AND owner = $2 AND $3::jsonb IS NOT NULL'],
  ['runs', 'DELETE FROM runs WHERE tenant = $1 AND owner = $2 AND $3::jsonb IS NOT NULL'],
  ['sends', 'DELETE FROM sends WHERE tenant = $1 AND owner = $2 AND $3::jsonb IS NOT NULL'],
  ['grants', 'DELETE FROM session_grants WHERE tenant = $1 AND (grantee = $2 OR granted_by = $2) AND $3::jsonb IS NOT NULL'],
  ['inbound', `DELETE FROM inbound_messages WHERE tenant = $1 AND $2::text IS NOT NULL AND ${IS_PERSON('sender_id', 'source')}`],
  ['pairings', `DELETE FROM pairing_requests WHERE tenant = $1 AND $2::text IS NOT NULL AND ${IS_PERSON('sender_id', 'pairing_requests.channel')}`],
  ['admissions', `DELETE FROM channel_admissions WHERE tenant = $1 AND $2::text IS NOT NULL AND ${IS_PERSON('sender_id', 'channel_admissions.channel')}`],
];

const PRUNE: readonly (readonly [string, string])[] = [
  [
    'messages',
    `DELETE FROM messages USING sessions WHERE sessions.id = messages.session_ref AND sessions.tenant = $1 AND $2::int > 0 AND messages.at < now() - $2::int * interval '1 day'`,
  ],
  [
    'runs',
    `DELETE FROM runs USING sessions WHERE sessions.id = runs.session_ref AND sessions.tenant = $1 AND $2::int > 0 AND runs.ended_at < now() - $2::int * interval '1 day'`,
  ],
  ['sends', `DELETE FROM sends WHERE tenant = $1 AND $3::int > 0 AND created_at < now() - $3::int * interval '1 day' AND status IN ('sent', 'failed')`],
  ['inbound', `DELETE FROM inbound_messages WHERE tenant = $1 AND at < now() - $4::int * interval '1 day'`],
  [
    'attachments',
    `DELETE FROM attachments WHERE tenant = $1 AND (created_at < now() - $5::int * interval '1 day' OR (session_ref IS NULL AND created_at < now() - interval '1 hour'))`,
  ],
  ['pairings', `DELETE FROM pairing_requests WHERE tenant = $1 AND expires_at < now()`],
  ['gone', `DELETE FROM gone_sessions WHERE tenant = $1 AND purge_at IS NULL AND gone_at < now() - interval '4 days'`],
];

interface ErasureRow {
  erasure_id: string;
  tenant: string;
  user_id: string;
  requested_by: string;
  requested_at: Date;
  expected: string[];
}

export class PostgresMaintenance implements MaintenanceStore {
  constructor(private readonly database: Database) {}

  async storedKeys(tenant: string, { after, limit }: { after: number; limit: number }): Promise<StoredKey[]> {
    const text = 'SELECT id, owner, agent_id, session_key FROM sessions WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3';
    type Row = { id: number; owner: string; agent_id: string; session_key: string };
    const rows = await this.database.query<Row>('routing_stored_keys', text, [tenant, after, limit]);
    return rows.map((row) => ({ ref: row.id, owner: row.owner, agentId: row.agent_id, sessionKey: row.session_key }));
  }

  async renameKey(ref: number, to: string): Promise<'renamed' | 'taken' | 'gone'> {
    try {
      return (await this.database.query('routing_rename_key', RENAME, [ref, to])).length === 1 ? 'renamed' : 'gone';
    } catch (error) {
      if (isUniqueViolation(error, 'sessions_tenant_owner_session_key_key')) return 'taken';
      throw error;
    }
  }

  async createErasure({ erasureId, tenant, user, requestedBy, expected }: Omit<ErasureRecord, 'requestedAt' | 'receipts'>): Promise<void> {
    const text = 'INSERT INTO erasures (erasure_id, tenant, user_id, requested_by, expected) VALUES ($1, $2, $3, $4, $5::jsonb)';
    await this.database.query('routing_create_erasure', text, [erasureId, tenant, user, requestedBy, JSON.stringify(expected)]);
  }

  async findErasure(tenant: string, erasureId: string): Promise<ErasureRecord | undefined> {
    const [row] = await this.database.query<ErasureRow>('routing_erasure', `SELECT ${ERASURE} FROM erasures WHERE tenant = $1 AND erasure_id = $2`, [
      tenant,
      erasureId,
    ]);
    if (!row) return undefined;
    type Receipt = { service: string; counts: Record<string, number>; problem: string | null; at: Date };
    const text = 'SELECT service, counts, problem, at FROM erasure_receipts WHERE erasure_id = $1 ORDER BY at, service';
    const receipts = await this.database.query<Receipt>('routing_receipts', text, [erasureId]);
    const { tenant: of, user_id: user, requested_by: requestedBy, requested_at: requestedAt, expected } = row;
    return {
      ...{ erasureId, tenant: of, user, requestedBy, requestedAt, expected },
      receipts: receipts.map(({ service, counts, problem, at }) => ({ service, counts, at, problem: problem ?? undefined })),
    };
  }

  async noteReceipt(
    erasureId: string,
    { service, counts, problem }: { service: string; counts: Record<string, number>; problem?: string | undefined },
  ): Promise<void> {
    await this.database.query('routing_note_receipt', NOTE_RECEIPT, [erasureId, service, JSON.stringify(counts), problem ?? null]);
  }

  async incarnations(tenant: string, owner: string): Promise<string[]> {
    return (await this.database.query<{ session_id: string }>('routing_incarnations', INCARNATIONS, [tenant, owner])).map((row) => row.session_id);
  }

  async ownMarks(tenant: string, owner: string): Promise<{ sessionKeys: Set<string>; sendIds: Set<string> }> {
    const keys = await this.database.query<{ session_key: string }>('routing_own_keys', OWN_KEYS, [tenant, owner]);
    const text = 'SELECT send_id FROM sends WHERE tenant = $1 AND owner = $2';
    const sends = await this.database.query<{ send_id: string }>('routing_own_sends', text, [tenant, owner]);
    return { sessionKeys: new Set(keys.map((row) => row.session_key)), sendIds: new Set(sends.map((row) => row.send_id)) };
  }

  async eraseOwner(tenant: string, owner: string, identities: readonly ChannelIdentity[], sessionIds: readonly string[]): Promise<Record<string, number>> {
    return this.database.transaction(async (tx) => {
      const counts: Record<string, number> = {};
      for (const [kind, text] of ERASE)
        counts[kind] = (await tx.query(`routing_erase_${kind}`, `${text} RETURNING 1 AS one`, [tenant, owner, JSON.stringify(identities)])).length;
      // Also what has not left yet: it would come after the stream was purged.
      const events = `DELETE FROM outbox WHERE split_part(subject, '.', 2) = 'evt' AND split_part(subject, '.', 7) = ANY ($1) RETURNING 1 AS one`;
      await tx.query('routing_erase_outbox', events, [sessionIds]);
      await tx.query('routing_note_erased', NOTE_ERASED, [tenant, owner, sessionIds]);
      return counts;
    });
  }

  async claimPurge(): Promise<{ tenant: string; sessionId: string; last: boolean } | undefined> {
    type Row = { tenant: string; session_id: string; last: boolean };
    const [row] = await this.database.query<Row>('routing_claim_purge', CLAIM_PURGE, []);
    return row && { tenant: row.tenant, sessionId: row.session_id, last: row.last };
  }

  async endPurge(sessionId: string): Promise<void> {
    await this.database.query('routing_end_purge', 'DELETE FROM gone_sessions WHERE session_id = $1', [sessionId]);
  }

  async prune(tenant: string, days: { transcripts: number; deliveries: number; inbound: number; attachments: number }): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [kind, text] of PRUNE) {
      const counted = `WITH removed AS (${text} RETURNING 1) SELECT count(*)::int AS count FROM removed WHERE $1::text IS NOT NULL AND $2::int >= 0 AND $3::int >= 0 AND $4::int >= 0 AND $5::int >= 0`;
      const values = [tenant, days.transcripts, days.deliveries, days.inbound, days.attachments];
      const [row] = await this.database.query<{ count: number }>(`routing_prune_${kind}`, counted, values);
      counts[kind] = row?.count ?? 0;
    }
    return counts;
  }
}
