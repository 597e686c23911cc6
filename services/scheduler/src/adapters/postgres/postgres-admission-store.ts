import type { Database } from '@plexus/database';
import { WARM_USER } from '../../application/admission.js';
import type { AdmissionStore, IncarnationKey, OwnerKey, WireKey } from '../../application/ports.js';
import { LIVE_STATES, type VmState } from '../../domain/vm-state.js';
import { ownerOf } from './vm-rows.js';

/** The answer of a first connection may be lost: so long the same client may show its ticket again. */
const READMISSION_MS = 30_000;

interface OwnerColumns {
  readonly tenant_id: string;
  readonly subject_id: string;
  readonly scope_key: string;
}

export class PostgresAdmissionStore implements AdmissionStore {
  constructor(
    private readonly database: Database,
    private readonly replica: string,
  ) {}

  issueTicket(key: IncarnationKey, hash: Uint8Array, ttlMs: number): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const rows = await tx.query(
        'ticket_issue',
        `INSERT INTO vm_tickets (hash, vm_id, epoch, expires_at)
         SELECT $1, v.id, $3, clock_timestamp() + $4 * interval '1 millisecond' FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = $3
          WHERE v.id = $2 AND v.current_epoch = $3 AND i.phase = 'creating' AND v.claim_owner = $5 AND v.claim_until > clock_timestamp() FOR UPDATE OF v
         RETURNING hash`,
        [Buffer.from(hash), key.vmId, key.epoch, ttlMs, this.replica],
      );
      if (rows.length === 0) return false;
      await tx.query('ticket_supersede', 'DELETE FROM vm_tickets WHERE vm_id = $1 AND used_at IS NULL AND hash <> $2', [key.vmId, Buffer.from(hash)]);
      return true;
    });
  }

  async redeem(
    hash: Uint8Array,
    tenant: string | undefined,
    userId: string,
    clientNonce: string | undefined,
  ): Promise<(IncarnationKey & { readonly tenant: string }) | undefined> {
    const [row] = await this.database.query<{ vm_id: string; epoch: number; tenant_id: string }>(
      'ticket_redeem',
      `UPDATE vm_tickets t SET used_at = coalesce(t.used_at, clock_timestamp()), client_nonce = coalesce(t.client_nonce, $4)
         FROM vms v
        WHERE t.hash = $1 AND v.id = t.vm_id AND v.current_epoch = t.epoch AND ($3::text IS NULL OR v.tenant_id = $3)
          AND (v.subject_id = $2 OR ($2 = $6 AND EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = t.epoch AND i.was_warm)))
          AND ((t.used_at IS NULL AND t.expires_at > clock_timestamp())
               OR (t.client_nonce = $4 AND t.used_at > clock_timestamp() - $5 * interval '1 millisecond'))
       RETURNING t.vm_id, t.epoch, v.tenant_id`,
      [Buffer.from(hash), userId, tenant ?? null, clientNonce ?? null, READMISSION_MS, WARM_USER],
    );
    if (row !== undefined) return { vmId: row.vm_id, epoch: row.epoch, tenant: row.tenant_id };
    await this.auditReplay(hash);
    return undefined;
  }

  /** Somebody shows a ticket that was used: a lost answer at best, a stolen ticket at worst. */
  private async auditReplay(hash: Uint8Array): Promise<void> {
    await this.database.query(
      'ticket_replay',
      `INSERT INTO vm_audit (tenant_id, vm_id, epoch, event, details)
       SELECT v.tenant_id, t.vm_id, t.epoch, 'ticket_replay', '{}' FROM vm_tickets t JOIN vms v ON v.id = t.vm_id WHERE t.hash = $1 AND t.used_at IS NOT NULL`,
      [Buffer.from(hash)],
    );
  }

  async current(
    key: IncarnationKey,
  ): Promise<{ readonly live: boolean; readonly currentEpoch: number; readonly owner: OwnerKey; readonly wasWarm: boolean } | undefined> {
    const [row] = await this.database.query<OwnerColumns & { state: VmState; current_epoch: number; present: boolean; was_warm: boolean }>(
      'admission_current',
      `SELECT v.tenant_id, v.subject_id, v.scope_key, v.state, v.current_epoch,
              EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = $2 AND i.phase IN ('creating', 'running')) AS present,
              EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = $2 AND i.was_warm) AS was_warm
         FROM vms v WHERE v.id = $1`,
      [key.vmId, key.epoch],
    );
    if (row === undefined) return undefined;
    const live = row.present && row.current_epoch === key.epoch && LIVE_STATES.includes(row.state);
    return { live, currentEpoch: row.current_epoch, owner: ownerOf(row), wasWarm: row.was_warm };
  }

  async owner(vmId: string): Promise<OwnerKey | undefined> {
    const [row] = await this.database.query<OwnerColumns>('admission_owner', 'SELECT tenant_id, subject_id, scope_key FROM vms WHERE id = $1', [vmId]);
    return row && ownerOf(row);
  }

  async holder(key: WireKey, connGen: number): Promise<OwnerKey | undefined> {
    const [row] = await this.database.query<OwnerColumns>(
      'admission_holder',
      `SELECT v.tenant_id, v.subject_id, v.scope_key FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = v.current_epoch
        WHERE v.id = $1 AND v.current_epoch = $2 AND i.conn_gen = $3 AND i.phase = 'running' AND ($4::text IS NULL OR v.tenant_id = $4)`,
      [key.vmId, key.epoch, connGen, key.tenant ?? null],
    );
    return row && ownerOf(row);
  }
}
