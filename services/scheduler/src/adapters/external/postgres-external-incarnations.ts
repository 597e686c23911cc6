import type { Database } from '@plexus/database';
import type { ExternalVms, WaitingVm } from '../../application/attach-external.js';
import type { IncarnationKey } from '../../application/provider-port.js';
import type { VmState } from '../../domain/vm-state.js';
import { PostgresAdmissionStore } from '../postgres/postgres-admission-store.js';
import type { ExternalIncarnations } from './external-provider.js';

const PROVIDER = 'external';
/** A ticket was used and its runtime is not attached yet: nobody else is let in for so long. */
const CONNECTING_MS = 30_000;

/** Rows are the only truth about runtimes that are not ours. Only the reconciler writes them; this reads, and takes tickets away. */
export class PostgresExternalIncarnations implements ExternalIncarnations, Pick<ExternalVms, 'find'> {
  constructor(private readonly database: Database) {}

  open(key: IncarnationKey): Promise<boolean> {
    return this.isAdmitted(key);
  }

  /** The same condition under which a socket is attached and a token verified. */
  async isAdmitted({ vmId, epoch }: IncarnationKey): Promise<boolean> {
    const rows = await this.database.query(
      'external_admitted',
      `SELECT 1 FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = v.current_epoch
        WHERE v.id = $1 AND v.current_epoch = $2 AND i.provider = $3 AND i.phase IN ('creating', 'running')`,
      [vmId, epoch, PROVIDER],
    );
    return rows.length > 0;
  }

  async revoke({ vmId, epoch }: IncarnationKey): Promise<void> {
    await this.database.query('external_revoke', 'DELETE FROM vm_tickets WHERE vm_id = $1 AND epoch = $2 AND used_at IS NULL', [vmId, epoch]);
  }

  async nextEpoch(): Promise<number> {
    const [row] = await this.database.query<{ epoch: number }>('external_fence', `SELECT nextval('vm_epoch_seq') AS epoch`);
    if (row === undefined) throw new TypeError('a sequence gave no number');
    return row.epoch;
  }

  async list(): Promise<readonly (IncarnationKey & { readonly ageMs: number })[]> {
    const rows = await this.database.query<{ vm_id: string; epoch: number; age_ms: number }>(
      'external_list',
      `SELECT vm_id, epoch, (extract(epoch FROM clock_timestamp() - started_at) * 1000)::float8 AS age_ms FROM vm_instances
        WHERE provider = $1 AND phase IN ('creating', 'running')`,
      [PROVIDER],
    );
    return rows.map(({ vm_id: vmId, epoch, age_ms: ageMs }) => ({ vmId, epoch, ageMs }));
  }

  /** What was lost with the database was known to nobody else. */
  async highestEpoch(): Promise<number> {
    return 0;
  }

  async find(vmId: string): Promise<WaitingVm | undefined> {
    const [row] = await this.database.query<{ state: VmState; epoch: number | null; provider: string | null; attached: boolean | null; reason: string | null }>(
      'external_find',
      `SELECT v.state, i.epoch, i.provider, i.attached_at IS NOT NULL AS attached, v.reason_text AS reason
         FROM vms v LEFT JOIN vm_instances i ON i.vm_id = v.id AND i.phase IN ('creating', 'running') WHERE v.id = $1`,
      [vmId],
    );
    if (row === undefined) return undefined;
    return {
      state: row.state,
      reason: row.reason ?? undefined,
      incarnation:
        row.epoch === null || row.provider === null ? undefined : { epoch: row.epoch, isExternal: row.provider === PROVIDER, attached: row.attached === true },
    };
  }
}

/** Tickets for runtimes that are not ours: any replica may issue one, as long as nobody has connected as this incarnation. */
export class ExternalAdmissionStore extends PostgresAdmissionStore {
  constructor(private readonly tickets: Database) {
    super(tickets, '');
  }

  override issueTicket({ vmId, epoch }: IncarnationKey, hash: Uint8Array, ttlMs: number): Promise<boolean> {
    return this.tickets.transaction(async (tx) => {
      const rows = await tx.query(
        'external_ticket_issue',
        `INSERT INTO vm_tickets (hash, vm_id, epoch, expires_at)
         SELECT $1, v.id, $3, clock_timestamp() + $4 * interval '1 millisecond' FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = $3
          WHERE v.id = $2 AND v.current_epoch = $3 AND v.desired_state = 'running' AND v.state IN ('provisioning', 'booting')
            AND i.provider = $5 AND i.phase IN ('creating', 'running') AND i.attached_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM vm_tickets t WHERE t.vm_id = v.id AND t.epoch = $3 AND t.used_at > clock_timestamp() - $6 * interval '1 millisecond')
            FOR UPDATE OF v
         RETURNING hash`,
        [Buffer.from(hash), vmId, epoch, ttlMs, PROVIDER, CONNECTING_MS],
      );
      if (rows.length === 0) return false;
      // Used ones too: whoever had them did not connect, and must not do so with the next one's.
      await tx.query('external_ticket_supersede', 'DELETE FROM vm_tickets WHERE vm_id = $1 AND hash <> $2', [vmId, Buffer.from(hash)]);
      return true;
    });
  }
}
