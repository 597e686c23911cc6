import { appendOutbox, type Database, type OutboxMessage } from '@plexus/database';

/** Tables that hold something of a person. The head of the inbox goes too: whoever comes back begins with another epoch and is told so. */
const TABLES = [
  'subscription',
  'inbox_item',
  'inbox_head',
  'decision',
  'seen_event',
  'feedback',
  'delivery_attempt',
  'preference',
  'quiet_hours',
  'silence',
  'access_grant',
  'contact',
  'user_state',
  'timer',
  'schedule',
  'schedule_run',
  'dispatch_rule',
  'dispatch_run',
] as const;

/** A page that waits to be fanned out names everybody whom it is for; what somebody works on at this moment is in nobody's reach. */
const LEAVE_PAGES = `
  UPDATE fanout_page p
     SET recipients = (SELECT coalesce(json_agg(r), '[]'::json) FROM json_array_elements(p.recipients) AS r WHERE r->0->>'user' <> $2)
   WHERE p.t = $1 AND EXISTS (SELECT FROM json_array_elements(p.recipients) AS r WHERE r->0->>'user' = $2)`;

export type ErasedCounts = Readonly<Record<(typeof TABLES)[number], number>>;

/**
 * Written with what was removed, and held until everything is: a row that counts as published is not sent, and one that will be so in the far future is
 * not pruned either, however long the streams cannot be reached. One that was sent stays so when the request is delivered again.
 */
const HOLD = "UPDATE outbox SET published_at = now() + interval '100 years' WHERE msg_id = $1 AND published_at IS NULL";
const RELEASE = 'UPDATE outbox SET published_at = NULL WHERE msg_id = $1 AND published_at > now()';

/** Removes a person for good. The receipt stands in the outbox with what it tells of, and leaves it when the whole erasure is done. */
export class PersonEraser {
  constructor(
    private readonly database: Database,
    private readonly encodeReceipt: (tenant: string, erasureId: string, user: string, counts: ErasedCounts) => OutboxMessage,
    private readonly afterCommit: () => void,
    /** Under which subjects messages about a person leave the outbox. */
    private readonly subjectsOf: (tenant: string, user: string) => readonly string[],
  ) {}

  async erase(tenant: string, user: string, erasureId: string): Promise<ErasedCounts> {
    const counts = await this.database.transaction(async (tx) => {
      const erased: Record<string, number> = {};
      for (const table of TABLES) {
        const gone = await tx.query(`push_erase_${table}`, `DELETE FROM ${table} WHERE t = $1 AND user_id = $2 RETURNING 1 AS gone`, [tenant, user]);
        erased[table] = gone.length;
      }
      // Results of replays name people; they can be had again. What somebody wrote as an operator stays, without the name.
      await tx.query('push_erase_replays', 'DELETE FROM policy_replay WHERE t = $1 AND $2 = ANY (mentions)', [tenant, user]);
      await tx.query('push_erase_author', "UPDATE policy SET created_by = '' WHERE t = $1 AND created_by = $2", [tenant, user]);
      await tx.query('push_erase_activator', "UPDATE policy SET activated_by = '' WHERE t = $1 AND activated_by = $2", [tenant, user]);
      // What was silenced or granted for others stays, without the name.
      await tx.query('push_erase_silencer', "UPDATE silence SET created_by = '' WHERE t = $1 AND created_by = $2", [tenant, user]);
      await tx.query('push_erase_silence_end', "UPDATE silence SET ended_by = '' WHERE t = $1 AND ended_by = $2", [tenant, user]);
      await tx.query('push_erase_grantor', "UPDATE access_grant SET said_by = '' WHERE t = $1 AND said_by = $2", [tenant, user]);
      // Others may have named the person as somebody to be told; a rule that would tell nobody any more goes.
      for (const table of ['dispatch_rule', 'dispatch_run'] as const) {
        const sql = `UPDATE ${table} SET recipients = array_remove(recipients, $2) WHERE t = $1 AND $2 = ANY (recipients)`;
        await tx.query(`push_erase_named_${table}`, sql, [tenant, user]);
      }
      await tx.query('push_erase_idle_rules', "DELETE FROM dispatch_rule WHERE t = $1 AND notify->>'to' = 'users' AND cardinality(recipients) = 0", [tenant]);
      await tx.query('push_erase_pages', LEAVE_PAGES, [tenant, user]);
      // What is not published yet would be, behind the erasure.
      await tx.query('push_erase_outbox', 'DELETE FROM outbox WHERE subject = ANY ($1::text[])', [this.subjectsOf(tenant, user)]);
      const receipt = this.encodeReceipt(tenant, erasureId, user, erased as ErasedCounts);
      await appendOutbox(tx, [receipt]);
      await tx.query('push_hold_receipt', HOLD, [receipt.msgId]);
      return erased as ErasedCounts;
    });
    return counts;
  }

  /** Everything is gone: says so. What the person says from here on is new. Repeating it is harmless. */
  async finish(tenant: string, user: string, erasureId: string): Promise<void> {
    await this.database.query('push_release_receipt', RELEASE, [this.encodeReceipt(tenant, erasureId, user, {} as ErasedCounts).msgId]);
    this.afterCommit();
  }
}
