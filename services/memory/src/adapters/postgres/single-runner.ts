import { advisoryLockKey, type Database } from '@plexus/database';
import type { SingleRunner } from '../../application/keep-embeddings.js';

/** A lock of the database session: it ends with the connection, so a killed replica holds up nobody. */
export class PostgresSingleRunner implements SingleRunner {
  constructor(
    private readonly database: Database,
    private readonly name: string,
  ) {}

  async exclusively<T>(fn: () => Promise<T>): Promise<T | undefined> {
    if (this.database.kind === 'pglite') return fn(); // one process, one connection
    const session = await this.database.openSession();
    try {
      const [row] = await session.query<{ locked: boolean }>('memory_try_lock', 'SELECT pg_try_advisory_lock($1::bigint) AS locked', [
        advisoryLockKey(`plexus.memory.${this.name}`),
      ]);
      return row?.locked === true ? await fn() : undefined;
    } finally {
      await session.close();
    }
  }
}
