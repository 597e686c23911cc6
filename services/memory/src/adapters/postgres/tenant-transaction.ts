import type { Database, TransactionOptions, Tx } from '@plexus/database';

/**
 * Runs `fn` as the role that row security binds, with the tenant set; both end with the transaction. Every statement about memories goes
 * through here: the tenant is in each statement and, should one ever forget it, in the policy as well.
 */
export function inTenant<T>(database: Database, tenant: string, fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query('memory_enter_tenant', `SELECT set_config('role', 'plexus_app', true), set_config('plexus.tenant', $1, true)`, [tenant]);
    return fn(tx);
  }, options);
}
