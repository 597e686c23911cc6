import type { vmContracts } from '@plexus/contracts';

export type VmState = vmContracts.VmState;

/** What people and policies want; only they write it, only the reconciler writes the state. */
export type DesiredState = 'running' | 'paused' | 'terminated';

/**
 * Every edge a VM may take. Whatever is not listed is a bug and throws: a wrong transition in the table is found by a test, one
 * that is taken silently is found by a user with two machines.
 */
export const VM_EDGES: Readonly<Record<VmState, readonly VmState[]>> = {
  requested: ['provisioning', 'backoff', 'stopping', 'terminated'],
  provisioning: ['booting', 'stopping'],
  booting: ['ready', 'warm', 'stopping'],
  warm: ['ready', 'stopping', 'suspect'],
  ready: ['suspect', 'draining', 'pausing', 'stopping'],
  suspect: ['ready', 'stopping'],
  draining: ['ready', 'pausing', 'stopping'],
  pausing: ['stopping'],
  stopping: ['paused', 'backoff', 'requested', 'terminated', 'failed'],
  paused: ['requested', 'terminated'],
  backoff: ['requested', 'failed', 'terminated'],
  failed: [],
  terminated: [],
};

/** Where `stopping` may lead; chosen before it is entered. */
export type StopTarget = 'paused' | 'backoff' | 'requested' | 'terminated' | 'failed';

/** Thrown when a transition is not in {@link VM_EDGES}. */
export class IllegalTransitionError extends Error {
  override readonly name = 'IllegalTransitionError';

  constructor(
    readonly from: VmState,
    readonly to: VmState,
  ) {
    super(`a VM may not go from ${from} to ${to}; from there it may go to ${VM_EDGES[from].join(', ') || 'nowhere'}`);
  }
}

/** Throws {@link IllegalTransitionError} unless the edge exists. */
export function assertEdge(from: VmState, to: VmState): void {
  if (!VM_EDGES[from].includes(to)) throw new IllegalTransitionError(from, to);
}

/** Terminal rows give up their owner key: the next ensure makes a new VM. */
export function isTerminal(state: VmState): boolean {
  return VM_EDGES[state].length === 0;
}

/** States in which an incarnation exists that has, or will get, a socket. */
export const LIVE_STATES: readonly VmState[] = ['provisioning', 'booting', 'warm', 'ready', 'suspect', 'draining', 'pausing'];

const WORKING_STATES: readonly VmState[] = ['provisioning', 'booting', 'ready', 'suspect'];

/** True when new work queued for the current epoch will be read by somebody, unless that incarnation dies first. */
export function takesWork(state: VmState): boolean {
  return WORKING_STATES.includes(state);
}

/** True while runs that the incarnation has may be steered and cancelled. */
export function hearsCommands(state: VmState): boolean {
  return takesWork(state) || state === 'draining' || state === 'pausing';
}
