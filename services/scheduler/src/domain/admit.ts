import type { VmState } from './vm-state.js';

/**
 * The states a VM passes when a gateway attaches a socket of its current epoch, ending in `ready` (`warm` for a member of a pool); empty when it
 * is there already. Undefined: an incarnation in this state may not come back and must be told that it is fenced.
 */
export function admissionPath(state: VmState, pooled = false): readonly VmState[] | undefined {
  const end: VmState = pooled ? 'warm' : 'ready';
  switch (state) {
    case 'provisioning':
      return ['booting', end]; // the runtime was faster than the commit of its start
    case 'booting':
      return [end];
    case 'suspect':
      return pooled ? undefined : ['ready'];
    case 'warm':
    case 'ready':
    case 'draining':
    case 'pausing':
      return [];
    default:
      return undefined;
  }
}
