import type { VmPolicy } from './policy.js';
import type { InstanceView, VmView } from './vm.js';

export interface Explanation {
  readonly because: readonly string[];
  /** When what keeps it as it is ends by itself; milliseconds. */
  readonly until: number | undefined;
}

/** Says in sentences why a VM is in its state, and what keeps it alive. Reads the same facts as `decide`, so that both never disagree. */
export function explain(
  vm: VmView,
  instance: InstanceView | undefined,
  policy: Pick<VmPolicy, 'idleMs' | 'maxLifeMs'>,
  runs: readonly { readonly runId: string; readonly sessionKey: string }[],
): Explanation {
  const because = [...stateOf(vm), ...(vm.desired === 'running' ? [] : [`Somebody wants it ${vm.desired}.`])];
  if (vm.drainReason !== undefined) because.push(`It is to be taken out of use: ${vm.drainReason}.`);
  for (const run of runs) because.push(`Run ${run.runId} of session ${run.sessionKey} has no end yet.`);
  if (vm.state !== 'ready') return { because, until: vm.deadlineAt };
  if (vm.generation > vm.observedGeneration) because.push('Somebody asked for it and it has not been ready since.');
  if (runs.length > 0 || vm.openRuns > 0) return { because, until: undefined };
  const idleAt = Math.max(vm.lastActivityAt, vm.stateSince) + policy.idleMs;
  const oldAt = (instance?.startedAt ?? vm.stateSince) + policy.maxLifeMs;
  because.push(
    idleAt <= oldAt
      ? `Somebody used it within the last ${policy.idleMs / 1_000} s; idle for longer it is paused.`
      : 'It is used; it will reach its maximum life before it is idle.',
  );
  return { because, until: Math.min(idleAt, oldAt) };
}

function stateOf(vm: VmView): string[] {
  const reason = vm.reason === undefined ? '' : ` (${vm.reason.code}: ${vm.reason.text})`;
  switch (vm.state) {
    case 'warm':
      return [`It waits in the pool ${vm.poolId ?? ''} for an owner.`];
    case 'paused':
      return [`It is paused${reason}; the next call or message starts it again with its workspace.`];
    case 'backoff':
      return [`Start ${vm.attempt} failed${reason}; the next one waits.`];
    case 'suspect':
      return [`It has been silent for longer than its lease${reason}; nothing is killed yet.`];
    case 'ready':
      return ['It is ready.'];
    default:
      return [`It is ${vm.state}${reason}.`];
  }
}
