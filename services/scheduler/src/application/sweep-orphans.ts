import type { WorkspaceStore } from './jobs.js';
import type { IncarnationKey, VmStore } from './ports.js';
import type { VmProvider } from './provider-port.js';
import type { ReconcilerLog } from './reconciler.js';

/** Younger ones may belong to a start whose commit is still on its way. */
const MIN_AGE_MS = 60_000;
const MIN_KILLS = 5;
const KILL_SHARE = 0.2;

/**
 * Ends what runs here without a row that says so. Rejects, and thereby does nothing, when either list cannot be had; refuses when far
 * more would have to be ended than faults can explain, because then the record is wrong and not the processes.
 */
export async function sweepOrphans(
  provider: Pick<VmProvider, 'name' | 'hostId' | 'list' | 'destroy'>,
  store: Pick<VmStore, 'present'>,
  log: ReconcilerLog,
  onReaped: (reason: 'no-record' | 'refused') => void,
): Promise<void> {
  const running = await provider.list();
  const known = new Set((await store.present(provider.name, provider.hostId)).map(nameOf));
  const orphans = running.filter((incarnation) => incarnation.ageMs >= MIN_AGE_MS && !known.has(nameOf(incarnation)));
  if (orphans.length > Math.max(MIN_KILLS, running.length * KILL_SHARE)) {
    log.error({ orphans: orphans.length, running: running.length }, 'too many VMs without a record: none was ended; is this the right database?');
    onReaped('refused');
    return;
  }
  for (const { vmId, epoch, ref } of orphans) {
    log.warn({ vmId, epoch }, 'ending a VM that no record knows');
    await provider.destroy({ vmId, epoch }, { force: true, ...(ref === undefined ? {} : { ref }) });
    onReaped('no-record');
  }
}

/**
 * Removes workspaces whose VM has no row in any state, once they have been idle for `graceMs`: those of VMs whose rows were lost or restored away. Rejects or
 * refuses as {@link sweepOrphans} does.
 */
export async function sweepWorkspaces(
  provider: Pick<VmProvider, 'name' | 'workspaces' | 'removeWorkspace'>,
  store: Pick<WorkspaceStore, 'unrecorded'>,
  graceMs: number,
  log: ReconcilerLog,
  onReaped: (reason: 'no-record' | 'refused') => void,
): Promise<void> {
  const all = await provider.workspaces();
  const old = all.filter(({ idleMs }) => idleMs >= graceMs).map(({ vmId }) => vmId);
  if (old.length === 0) return;
  const orphans = await store.unrecorded(old);
  if (orphans.length > Math.max(MIN_KILLS, all.length * KILL_SHARE)) {
    log.error({ orphans: orphans.length, workspaces: all.length }, 'too many workspaces without a record: none was removed; is this the right database?');
    onReaped('refused');
    return;
  }
  for (const vmId of orphans) {
    log.warn({ vmId }, 'removing a workspace that no record knows');
    await provider.removeWorkspace(vmId);
    onReaped('no-record');
  }
}

function nameOf({ vmId, epoch }: IncarnationKey): string {
  return `${vmId}/${epoch}`;
}
