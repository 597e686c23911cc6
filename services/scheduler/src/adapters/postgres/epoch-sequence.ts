import { type Database, withAdvisoryLock } from '@plexus/database';
import type { EpochSequence } from '../../application/epoch-guard.js';

export class PostgresEpochSequence implements EpochSequence {
  constructor(private readonly database: Database) {}

  raiseAbove(floor: number): Promise<boolean> {
    return this.database.transaction((tx) =>
      withAdvisoryLock(tx, 'scheduler-epochs', async () => {
        const [row] = await tx.query<{ last_value: number; is_called: boolean }>('epoch_sequence', 'SELECT last_value, is_called FROM vm_epoch_seq');
        const last = row === undefined || !row.is_called ? 0 : row.last_value;
        if (last >= floor) return false;
        await tx.query('epoch_sequence_raise', `SELECT setval('vm_epoch_seq', $1)`, [floor]);
        return true;
      }),
    );
  }
}
