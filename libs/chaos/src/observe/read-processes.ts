import { readFileSync } from 'node:fs';
import type { FinalState } from '../history.js';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';

/** The processes of VMs, without what they started themselves. */
export function vmProcesses(mesh: ChaosMesh): FinalState['processes'][number][] {
  const found = mesh.runtimes.flatMap(({ pid }) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const vmId = environment.find((one) => one.startsWith('VM_ID='))?.slice('VM_ID='.length);
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return vmId === undefined ? [] : [{ vmId, pid, parent }];
    } catch {
      return []; // ended while we looked
    }
  });
  const pids = new Set(found.map(({ pid }) => pid));
  return found.filter(({ parent }) => !pids.has(parent)).map(({ vmId, pid }) => ({ vmId, pid }));
}
