import { createHash } from 'node:crypto';
import type { Tx } from './database.js';

/** The 64-bit number behind a readable lock name, as decimal text; equal names give equal numbers in every process. */
export function advisoryLockKey(name: string): string {
  return createHash('sha256').update(name).digest().readBigInt64BE(0).toString();
}

/** Waits for the lock `name`, runs `fn`, and keeps the lock until the transaction ends. Other transactions that want it wait. */
export async function withAdvisoryLock<T>(tx: Tx, name: string, fn: () => Promise<T>): Promise<T> {
  await tx.query('plexus_xact_lock', 'SELECT pg_advisory_xact_lock($1::bigint)', [advisoryLockKey(name)]);
  return fn();
}
