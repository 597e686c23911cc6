import { advisoryLockKey, appendOutbox, type Database, type Tx } from '@plexus/database';
import type { Decided } from '../../../application/managing/log-change.js';
import type { LogEntries } from '../../nats/log-entries.js';

const LOCK = 'SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT unnest($1::bigint[]) AS k ORDER BY 1) AS wanted';

/** Runs changes of what people say: the rows and what the log is told about them, in one transaction, one at a time for each name. */
export class ManagedChanges {
  constructor(
    readonly database: Database,
    private readonly entries: Pick<LogEntries, 'encoded'>,
    /** Called after a commit that left something in the outbox. */
    private readonly afterCommit: () => void,
  ) {}

  /** `names`: users or scopes of the tenant. Whoever changes the same ones waits, so that what was read holds until the commit. */
  async run<T>(tenant: string, names: readonly string[], work: (tx: Tx) => Promise<Decided<T>>): Promise<T> {
    const { result, told } = await this.database.transaction(async (tx) => {
      // In the order of the numbers: two pages with the same users never wait for each other crosswise.
      await tx.query('push_lock_managed', LOCK, [names.map((name) => advisoryLockKey(`push-managing|${tenant}|${name}`))]);
      const { result, log } = await work(tx);
      const messages = log.flatMap((change) => this.entries.encoded({ tenant, ...change }));
      await appendOutbox(tx, messages);
      return { result, told: messages.length > 0 };
    });
    if (told) this.afterCommit();
    return result;
  }
}
