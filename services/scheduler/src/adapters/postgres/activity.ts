import type { Queryable } from '@plexus/database';

const KEPT = 50;

/** Notes who uses a VM and keeps the newest notes. Heartbeats, open sockets and looks at it are no use. */
export async function noteActivity(db: Queryable, vmId: string, kind: string, source: string): Promise<void> {
  await db.query('activity_note', 'INSERT INTO vm_activity (vm_id, kind, source) SELECT id, $2, $3 FROM vms WHERE id = $1', [vmId, kind, source.slice(0, 256)]);
  await db.query(
    'activity_cap',
    'DELETE FROM vm_activity WHERE vm_id = $1 AND id <= (SELECT id FROM vm_activity WHERE vm_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)',
    [vmId, KEPT],
  );
}
