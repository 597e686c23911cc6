import type { Database } from '@plexus/database';
import type { ChannelName, ChannelTarget } from '../../application/channel-provider.js';
import type { ContactDirectory, ItemStates } from '../../application/delivery-ports.js';
import type { ItemMarks } from '../../domain/delivery/next-step.js';
import { maySee } from './may-see.js';

/** A person has a handful of addresses; this bounds what one delivery may cause. */
const MAX_CONTACTS = 20;
const REACHABLE = `
  SELECT id, address, details FROM contact
   WHERE t = $1 AND user_id = $2 AND channel = $3 AND verified_at IS NOT NULL AND disabled_reason IS NULL
   ORDER BY created_at, id LIMIT ${MAX_CONTACTS}`;
const RETIRE = 'UPDATE contact SET disabled_reason = $3 WHERE t = $1 AND id = $2 AND disabled_reason IS NULL';
const FORBIDDEN = `
  SELECT (event.place - 1)::int
    FROM jsonb_array_elements(i.scopes) WITH ORDINALITY AS event (scopes, place)
   WHERE EXISTS (
     SELECT 1 FROM jsonb_array_elements_text(event.scopes) AS about (scope)
       CROSS JOIN LATERAL (SELECT split_part(about.scope, ':', 1) AS kind, substr(about.scope, strpos(about.scope, ':') + 1) AS ref) AS part
       LEFT JOIN access_grant u ON u.t = i.t AND u.scope_kind = part.kind AND u.scope_ref = part.ref AND u.user_id = i.user_id
       LEFT JOIN access_grant s ON s.t = i.t AND s.scope_kind = part.kind AND s.scope_ref = part.ref AND s.user_id = '_'
      WHERE NOT (${maySee('now()')}))
   ORDER BY event.place`;
const MARKS = `
  SELECT i.seen_at IS NOT NULL AS seen, (i.acked_at IS NOT NULL OR o.acked_at IS NOT NULL) AS acknowledged, i.expires_at AS "expiresAt",
         ARRAY(${FORBIDDEN}) AS forbidden
    FROM inbox_item i LEFT JOIN inbox_item o ON o.t = i.t AND o.delivery_id = i.escalates AND o.user_id = i.user_id
   WHERE i.t = $1 AND i.delivery_id = $3 AND i.user_id = $2`;

/** What delivering needs to know of people: where they can be reached, and what they have seen. */
export class PostgresContactDirectory implements ContactDirectory, ItemStates {
  constructor(private readonly database: Database) {}

  async reachable(tenant: string, user: string, channel: ChannelName): Promise<ChannelTarget[]> {
    return this.database.query<ChannelTarget>('push_reachable_contacts', REACHABLE, [tenant, user, channel]);
  }

  async retire(tenant: string, contact: string, reason: string): Promise<void> {
    await this.database.query('push_retire_contact', RETIRE, [tenant, contact, reason]);
  }

  async marksOf(tenant: string, user: string, deliveryId: string): Promise<ItemMarks | undefined> {
    const [found] = await this.database.query<Omit<ItemMarks, 'expiresAt'> & { expiresAt: Date | null }>('push_marks_of_item', MARKS, [
      tenant,
      user,
      deliveryId,
    ]);
    return found && { ...found, expiresAt: found.expiresAt?.getTime() };
  }
}
