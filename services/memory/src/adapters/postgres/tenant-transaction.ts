import type { Database, Statement, TransactionOptions, Tx } from '@plexus/database';

const ENTER = `SELECT set_config('role', 'plexus_app', true), set_config('plexus.tenant', $1, true)`;
/**
 * A plan made once for any scope, filter and number of rows is a bad one for most: searches took ten times as long with it, and planning takes less
 * than a millisecond.
 */
const ENTER_TO_READ = `${ENTER}, set_config('plan_cache_mode', 'force_custom_plan', true)`;

/**
 * Runs `fn` as the role that row security binds, with the tenant set; both end with the transaction. Every statement about memories goes
 * through here or {@link readInTenant}: the tenant is in each statement and, should one ever forget it, in the policy as well.
 */
export function inTenant<T>(database: Database, tenant: string, fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query('memory_enter_tenant', ENTER, [tenant]);
    return fn(tx);
  }, options);
}

/** The same for statements that need no answers of one another, sent together. Rows of each. */
export async function allInTenant(database: Database, tenant: string, statements: readonly Statement[]): Promise<Record<string, unknown>[][]> {
  const [, ...rows] = await database.batch([{ name: 'memory_enter_tenant', text: ENTER, params: [tenant] }, ...statements]);
  return rows;
}

/** One statement that reads, sent together with everything it needs; `settings` come before it. */
export async function readInTenant<R>(database: Database, tenant: string, statement: Statement, settings: readonly Statement[] = []): Promise<R[]> {
  const enter = { name: 'memory_enter_to_read', text: ENTER_TO_READ, params: [tenant] };
  const rows = await database.batch([enter, ...settings, statement], { readOnly: true });
  return (rows.at(-1) ?? []) as R[];
}
