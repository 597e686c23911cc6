import type { Queryable } from '@plexus/database';
import type { ContactStore, StoredContact } from '../../../application/managing/manage-contacts.js';
import type { Owner } from '../../../application/ports.js';
import type { ManagedChanges } from './managed-changes.js';

const LIST = `
  SELECT id, user_id AS "user", channel, address, details, label, created_at AS "createdAt", verified_at AS "verifiedAt", code_hash AS "codeHash",
         code_expires_at AS "codeExpiresAt", code_attempts AS "codeAttempts", codes_sent AS "codesSent", code_sent_at AS "codeSentAt",
         disabled_reason AS "disabledReason"
    FROM contact WHERE t = $1 AND user_id = $2 ORDER BY created_at, id COLLATE "C"`;

const WRITE = `
  INSERT INTO contact (t, id, user_id, channel, address, details, label, created_at, verified_at, code_hash, code_expires_at, code_attempts, codes_sent,
                       code_sent_at, disabled_reason)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT (t, id) DO UPDATE
     SET details = excluded.details, label = excluded.label, verified_at = excluded.verified_at, code_hash = excluded.code_hash,
         code_expires_at = excluded.code_expires_at, code_attempts = excluded.code_attempts, codes_sent = excluded.codes_sent,
         code_sent_at = excluded.code_sent_at, disabled_reason = excluded.disabled_reason`;

const INSTANTS = ['createdAt', 'verifiedAt', 'codeExpiresAt', 'codeSentAt'] as const;

export class PostgresContacts implements ContactStore {
  constructor(private readonly changes: ManagedChanges) {}

  list(owner: Owner): Promise<StoredContact[]> {
    return list(this.changes.database, owner);
  }

  change<T>(
    owner: Owner,
    decide: (contacts: readonly StoredContact[]) => { readonly result: T; readonly next?: StoredContact; readonly remove?: string },
  ): Promise<T> {
    return this.changes.run(owner.tenant, [owner.user], async (tx) => {
      const { result, next, remove } = decide(await list(tx, owner));
      if (remove !== undefined)
        await tx.query('push_remove_contact', 'DELETE FROM contact WHERE t = $1 AND id = $2 AND user_id = $3', [owner.tenant, remove, owner.user]);
      if (next !== undefined) await tx.query('push_write_contact', WRITE, valuesOf(owner.tenant, next));
      return { result, log: [] };
    });
  }
}

async function list(from: Queryable, { tenant, user }: Owner): Promise<StoredContact[]> {
  return (await from.query('push_list_contacts', LIST, [tenant, user])).map(toContact);
}

function valuesOf(tenant: string, contact: StoredContact): unknown[] {
  const { id, user, channel, address, details, label, codeHash = null, codeAttempts, codesSent, disabledReason = null } = contact;
  const [created, verified, expires, sent] = INSTANTS.map((field) => (contact[field] === undefined ? null : new Date(contact[field])));
  return [
    tenant,
    id,
    user,
    channel,
    address,
    JSON.stringify(details),
    label,
    created,
    verified,
    codeHash,
    expires,
    codeAttempts,
    codesSent,
    sent,
    disabledReason,
  ];
}

/** Absent is absent, never null; instants in milliseconds. */
function toContact(row: Record<string, unknown>): StoredContact {
  const given = Object.entries(row).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([field, value]) => [field, value instanceof Date ? value.getTime() : value])) as unknown as StoredContact;
}
