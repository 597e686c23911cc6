import { crashBackoff, startBackoff } from './backoff.js';
import type { VmPolicy } from './policy.js';
import type { Decision, InstanceView, Observation, Reason, VmPatch, VmView } from './vm.js';
import { assertEdge, isTerminal, type StopTarget, type VmState } from './vm-state.js';

/** Everything a decision depends on. `now` is the database clock; `random` (0 ≤ n < 1) spreads waits. */
export interface Situation {
  readonly vm: VmView;
  /** The incarnation that is not gone. */
  readonly instance: InstanceView | undefined;
  /** What the provider said in this very step; undefined: not asked yet, or it could not say. */
  readonly observed: Observation | undefined;
  readonly policy: VmPolicy;
  readonly now: number;
  readonly random: number;
}

/** How soon to look again when the provider could not say anything. */
const ASK_AGAIN_MS = 1_000;

/**
 * The next step of one VM: what to write, and what to do once that is committed. Level-triggered and pure, so a step that was lost, repeated
 * or interrupted is simply decided anew. Effects are performed only after the patch is committed (intent before effect), and their
 * outcome comes back as `observed` of the next call.
 */
export function decide(situation: Situation): Decision {
  const decision = step(situation);
  if (decision.patch.state !== undefined) assertEdge(situation.vm.state, decision.patch.state);
  return decision;
}

function step(situation: Situation): Decision {
  const { vm, instance } = situation;
  if (isTerminal(vm.state)) return rest(null);
  if (vm.desired === 'terminated' && vm.state !== 'stopping') {
    const idle = vm.state === 'requested' || vm.state === 'paused' || vm.state === 'backoff';
    if (idle && instance === undefined) return end(situation, 'terminated', 'terminate');
    // paused and backoff have no edge to stopping; an incarnation recorded beside them would be a bug that assertEdge reports.
    return stop(situation, 'terminated', { code: 'TERMINATED', text: 'Its owner ended it.' });
  }
  switch (vm.state) {
    case 'requested':
      return onRequested(situation);
    case 'provisioning':
      return onProvisioning(situation);
    case 'booting':
      return onBooting(situation);
    case 'ready':
      return onReady(situation);
    case 'suspect':
      return onSuspect(situation);
    case 'draining':
    case 'pausing':
    case 'warm':
      return onDeadline(situation, { code: 'DEADLINE', text: `It was ${vm.state} for too long.` });
    case 'stopping':
      return onStopping(situation);
    case 'paused':
      return onPaused(situation);
    case 'backoff':
      return onBackoff(situation);
    default:
      throw new TypeError(`no rule for state ${vm.state}`);
  }
}

function onRequested(situation: Situation): Decision {
  const { vm, instance, policy, now } = situation;
  // Never a second incarnation beside one that may still run: the old one is confirmed gone first.
  if (instance !== undefined) return stop(situation, 'requested', { code: 'LEFTOVER', text: 'An earlier incarnation was still recorded.' });
  const deadlineAt = now + policy.provisionMs;
  return {
    patch: { state: 'provisioning', attempt: vm.attempt + 1, deadlineAt },
    instance: { kind: 'create' },
    effect: { kind: 'create' },
    nextActionAt: deadlineAt,
    cause: 'start',
  };
}

function onProvisioning(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (instance === undefined) return stop(situation, failureTarget(situation), { code: 'INSTANCE_LOST', text: 'The incarnation vanished from the record.' });
  if (observed === undefined) return observe(now);
  if (observed.phase === 'running' || observed.phase === 'starting') {
    const deadlineAt = now + policy.bootMs;
    return {
      patch: { state: 'booting', deadlineAt },
      instance: { kind: 'phase', phase: 'running' },
      effect: { kind: 'none' },
      nextActionAt: deadlineAt,
      cause: 'started',
    };
  }
  if (observed.phase === 'exited') return stop(situation, failureTarget(situation), exitReason(observed, 'START_FAILED'));
  if (now >= deadlineOf(vm, now)) return stop(situation, failureTarget(situation), { code: 'PROVISION_TIMEOUT', text: 'It did not start in time.' });
  // The intent was committed and nothing runs: whoever made it died before the effect. Creating is idempotent for an epoch.
  if (observed.phase === 'absent') return { patch: {}, effect: { kind: 'create' }, nextActionAt: now + ASK_AGAIN_MS };
  return rest(Math.min(now + ASK_AGAIN_MS, deadlineOf(vm, now)));
}

function onBooting(situation: Situation): Decision {
  const { vm, observed, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return stop(situation, failureTarget(situation), exitReason(observed, 'BOOT_FAILED'));
  if (now >= deadlineOf(vm, now)) return stop(situation, failureTarget(situation), { code: 'BOOT_TIMEOUT', text: 'It started, but did not connect in time.' });
  return rest(deadlineOf(vm, now));
}

function onReady(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return crash(situation, exitReason(observed, 'EXITED'));
  const leaseUntil = instance?.leaseUntil ?? now;
  if (leaseUntil <= now) {
    const deadlineAt = now + policy.suspectMs;
    return {
      patch: { state: 'suspect', deadlineAt, reason: { code: 'LEASE_EXPIRED', text: 'It sent no heartbeat in time.' } },
      effect: { kind: 'none' },
      nextActionAt: deadlineAt,
      cause: 'lease-expired',
    };
  }
  if (vm.openRuns > 0 || vm.generation > vm.observedGeneration) return rest(leaseUntil);
  const idleAt = Math.max(vm.lastActivityAt, vm.stateSince) + policy.idleMs;
  if (idleAt <= now) return stop(situation, 'paused', { code: 'IDLE', text: 'Nothing used it for a while; it starts again on demand.' });
  const oldAt = (instance?.startedAt ?? now) + policy.maxLifeMs;
  if (oldAt <= now) return stop(situation, 'paused', { code: 'MAX_LIFE', text: 'It reached its maximum life; it starts again on demand.' });
  return rest(Math.min(leaseUntil, idleAt, oldAt));
}

function onSuspect(situation: Situation): Decision {
  const { vm, instance, observed, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return crash(situation, exitReason(observed, 'EXITED'));
  const leaseUntil = instance?.leaseUntil ?? 0;
  if (leaseUntil > now) {
    return { patch: { state: 'ready', deadlineAt: null, reason: null }, effect: { kind: 'none' }, nextActionAt: leaseUntil, cause: 'heartbeat' };
  }
  if (now >= deadlineOf(vm, now)) return crash(situation, { code: 'LEASE_EXPIRED', text: 'It sent no heartbeat and did not come back.' });
  return rest(deadlineOf(vm, now));
}

function onDeadline(situation: Situation, reason: Reason): Decision {
  const { vm, instance, observed, now } = situation;
  if (instance !== undefined && observed === undefined) return observe(now);
  if (instance === undefined || isGone(observed)) return crash(situation, exitReason(observed, 'EXITED'));
  if (now >= deadlineOf(vm, now)) return stop(situation, vm.stopTarget ?? 'paused', reason);
  return rest(deadlineOf(vm, now));
}

function onStopping(situation: Situation): Decision {
  const { vm, instance, observed, now } = situation;
  if (instance !== undefined) {
    if (observed === undefined) return observe(now);
    // Never left before the end is confirmed: the successor would run beside it.
    if (!isGone(observed)) return { patch: {}, effect: { kind: 'destroy', force: now >= deadlineOf(vm, now) }, nextActionAt: now + ASK_AGAIN_MS };
  }
  const target = finalTarget(vm);
  const gone = instance === undefined ? {} : { instance: { kind: 'phase', phase: 'gone', exit: exitOf(observed) } as const };
  if (target === 'backoff') {
    const wait =
      vm.attempt > 0 ? startBackoff(vm.attempt, situation.policy, situation.random) : crashBackoff(vm.crashes - 1, situation.policy, situation.random);
    return { ...moved({ state: 'backoff', deadlineAt: now + wait, stopTarget: null }, now + wait, 'stopped'), ...gone };
  }
  if (target === 'requested') return { ...moved({ state: 'requested', deadlineAt: null, stopTarget: null }, now, 'stopped'), ...gone };
  if (target === 'paused') {
    const until = now + situation.policy.retentionMs;
    // What was asked for before has been answered by now, even if with a failure: only a new wish starts it again.
    return { ...moved({ state: 'paused', deadlineAt: until, stopTarget: null, observedGeneration: vm.generation, attempt: 0 }, until, 'stopped'), ...gone };
  }
  return { ...end(situation, target, 'stopped'), ...gone };
}

/** The target may have changed while the old incarnation was ending: an owner may end the VM, or somebody may need it again. */
function finalTarget(vm: VmView): StopTarget {
  if (vm.desired === 'terminated') return 'terminated';
  const target = vm.stopTarget ?? 'paused';
  return target === 'paused' && isWanted(vm) ? 'requested' : target;
}

function onPaused(situation: Situation): Decision {
  const { vm, now } = situation;
  if (isWanted(vm)) return moved({ state: 'requested', deadlineAt: null, attempt: 0, reason: null }, now, 'demand');
  const until = deadlineOf(vm, now);
  return until <= now ? end(situation, 'terminated', 'retention') : rest(until);
}

function onBackoff(situation: Situation): Decision {
  const { vm, now } = situation;
  const until = deadlineOf(vm, now);
  return until <= now ? moved({ state: 'requested', deadlineAt: null }, now, 'retry') : rest(until);
}

/** An incarnation that was ready is gone, or as good as gone: replaced when somebody needs it, else left until somebody does. */
function crash(situation: Situation, reason: Reason): Decision {
  const { vm, instance, policy, now } = situation;
  const lived = now - (instance?.attachedAt ?? now);
  const earlier = lived >= policy.stableMs ? 0 : vm.crashes;
  const target: StopTarget = !isWanted(vm) ? 'paused' : crashBackoff(earlier, policy, situation.random) === 0 ? 'requested' : 'backoff';
  const decision = stop(situation, target, reason);
  return { ...decision, patch: { ...decision.patch, crashes: earlier + 1, attempt: 0 } };
}

function failureTarget({ vm, policy }: Situation): StopTarget {
  return vm.attempt >= policy.maxAttempts ? 'failed' : 'backoff';
}

/** An orderly stop that is not the VM's fault: whoever has a run comes back as soon as somebody can start it, the others on demand. */
export function park(situation: Situation, reason: Reason): Decision {
  assertEdge(situation.vm.state, 'stopping');
  return stop(situation, isWanted(situation.vm) ? 'requested' : 'paused', reason);
}

function stop(situation: Situation, stopTarget: StopTarget, reason: Reason): Decision {
  const { instance, observed, policy, now } = situation;
  const patch: VmPatch = { state: 'stopping', stopTarget, deadlineAt: now + policy.stopMs, reason };
  const phase = instance === undefined ? {} : { instance: { kind: 'phase', phase: 'stopping', exit: exitOf(observed) } as const };
  // Also when its main process is gone: tools that it started may still be running in the workspace of its successor.
  const effect = instance === undefined ? ({ kind: 'none' } as const) : ({ kind: 'destroy', force: false } as const);
  return {
    patch,
    ...phase,
    effect,
    nextActionAt: now,
    cause: reason.code.toLowerCase().replaceAll('_', '-'),
  };
}

function end(situation: Situation, state: 'terminated' | 'failed', cause: string): Decision {
  return {
    patch: { state, deadlineAt: null, stopTarget: null, observedGeneration: situation.vm.generation },
    effect: { kind: 'none' },
    nextActionAt: null,
    cause,
  };
}

function moved(patch: VmPatch & { readonly state: VmState }, nextActionAt: number, cause: string): Decision {
  return { patch, effect: { kind: 'none' }, nextActionAt, cause };
}

function rest(nextActionAt: number | null): Decision {
  return { patch: {}, effect: { kind: 'none' }, nextActionAt };
}

function observe(now: number): Decision {
  return { patch: {}, effect: { kind: 'observe' }, nextActionAt: now + ASK_AGAIN_MS };
}

function isGone(observed: Observation | undefined): boolean {
  return observed?.phase === 'absent' || observed?.phase === 'exited';
}

/** Somebody waits for it: a run without an end, or a call that was made since it was last ready. */
export function isWanted(vm: Pick<VmView, 'openRuns' | 'generation' | 'observedGeneration' | 'desired'>): boolean {
  return vm.desired === 'running' && (vm.openRuns > 0 || vm.generation > vm.observedGeneration);
}

/** A state that ought to have a deadline and has none is treated as due: it must not sleep for ever. */
function deadlineOf(vm: VmView, now: number): number {
  return vm.deadlineAt ?? now;
}

function exitReason(observed: Observation | undefined, code: string): Reason {
  const how =
    observed?.signal !== undefined ? `was ended by ${observed.signal}` : observed?.exitCode !== undefined ? `exited with code ${observed.exitCode}` : 'is gone';
  return { code, text: observed?.text ? `The runtime ${how}: ${observed.text}` : `The runtime ${how}.` };
}

function exitOf(observed: Observation | undefined): { readonly code?: number; readonly signal?: string; readonly text?: string } {
  return {
    ...(observed?.exitCode === undefined ? {} : { code: observed.exitCode }),
    ...(observed?.signal === undefined ? {} : { signal: observed.signal }),
    ...(observed?.text === undefined ? {} : { text: observed.text }),
  };
}
