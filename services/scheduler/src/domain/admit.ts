import type { VmState } from './vm-state.js';

/**
 * The states a VM passes when a gateway attaches a socket of its current epoch, ending in `ready`; empty when it is there already.
 * Undefined: an incarnation in this state may not come back and must be told that it is fenced.
 */
export function admissionPath(state: VmState): readonly VmState[] | undefined {
  switch (state) {
    case 'provisioning':
      return ['booting', 'ready']; // the runtime was faster than the commit of its start
    case 'booting':
    case 'suspect':
      return ['ready'];
    case 'ready':
    case 'draining':
      return [];
    default:
      return undefined;
  }
}
