import { hash } from 'node:crypto';
import type { Bucket } from '@plexus/bus';

/** What an adapter wants to know again after a crash: small JSON values by name, kept for a day at most. */
export interface AccountNotes {
  put(name: string, value: unknown): Promise<void>;
  delete(name: string): Promise<void>;
  list(): Promise<unknown[]>;
}

/** Notes of one account, in the part of PLEXUS_CHANNEL_SENDS that is the adapter's own. */
export function accountNotes(bucket: Bucket, role: string, tenant: string, account: string): AccountNotes {
  const prefix = `${role}.${tenant}.notes.${token(account)}`;
  return {
    put: async (name, value) => void (await bucket.put(`${prefix}.${token(name)}`, value as Record<string, unknown>)),
    delete: async (name) => void (await bucket.delete(`${prefix}.${token(name)}`)),
    list: async () => {
      const keys = await bucket.keys(`${prefix}.*`);
      const entries = await Promise.all(keys.map((key) => bucket.get(key)));
      return entries.flatMap((entry) => (entry === undefined ? [] : [entry.json<unknown>()]));
    },
  };
}

function token(text: string): string {
  return hash('sha256', text, 'base64url');
}
