import { crashBackoff, startBackoff } from './backoff.js';
import { deadlineOf, end, exitOf, exitReason, isGone, isWanted, moved, observe, rest, type Situation, stop } from './decide-steps.js';
import type { Decision, Reason, VmView } from './vm.js';
import { assertEdge, isTerminal, type StopTarget } from './vm-state.js';

export { isWanted, type Situation } from './decide-steps.js';

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

function step(given: Situation): Decision {
  // A start that failed says nothing once the incarnation is past its start: another replica may have started it.
  const isStale = given.observed?.failure !== undefined && given.vm.state !== 'provisioning';
  const situation = isStale ? { ...given, observed: undefined } : given;
  const { vm, instance } = situation;
  if (isTerminal(vm.state)) return rest(null);
  if (vm.desired === 'terminated' && vm.state !== 'stopping') {
    const idle = vm.state === 'requested' || vm.state === 'paused' || vm.state === 'backoff';
    if (idle && instance === undefined) return end(situation, 'terminated', 'terminate');
    // paused and backoff have no edge to stopping; an incarnation recorded beside them would be a bug that assertEdge reports.
    return stop(situation, 'terminated', { code: 'TERMINATED', text: vm.poolId === undefined ? 'Its owner ended it.' : 'Its pool no longer needs it.' });
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
    case 'warm':
      return onWarm(situation);
    case 'suspect':
      return onSuspect(situation);
    case 'draining':
      return onDraining(situation);
    case 'pausing':
      return onPausing(situation);
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
  const { vm, instance, policy, now, placement } = situation;
  // Never a second incarnation beside one that may still run: the old one is confirmed gone first.
  if (instance !== undefined) return stop(situation, 'requested', { code: 'LEFTOVER', text: 'An earlier incarnation was still recorded.' });
  if (vm.desired === 'paused') return stop(situation, 'paused', { code: 'PAUSED', text: 'It was paused before it was started.' });
  if (placement?.kind === 'nowhere') return waitFor(situation, { code: placement.code, text: placement.text });
  if (placement?.kind === 'elsewhere') {
    // Due at once: from here on only the chosen host claims it.
    if (!placement.isChosen) return { patch: { hostId: placement.hostId }, effect: { kind: 'none' }, nextActionAt: now };
    const until = vm.stateSince + policy.requestedMs;
    if (now >= until) return waitFor(situation, { code: 'HOST_SILENT', text: 'The host that was chosen for it did not take it.' });
    return rest(Math.min(now + POLL_MS, until));
  }
  const deadlineAt = now + policy.provisionMs;
  return {
    patch: { state: 'provisioning', attempt: vm.attempt + 1, deadlineAt },
    instance: { kind: 'create' },
    effect: { kind: 'create' },
    // Whoever commits this holds the claim. Should it die before the outcome is written, the start is taken up when the claim ends.
    nextActionAt: now,
    cause: 'start',
  };
}

/** Nowhere to start it now. That is not its fault and no attempt. */
function waitFor({ vm, now, policy, random }: Situation, reason: Reason): Decision {
  const until = now + startBackoff(Math.max(3, vm.attempt), policy, random);
  return { ...moved({ state: 'backoff', deadlineAt: until, reason }, until, reason.code.toLowerCase().replaceAll('_', '-')) };
}

function onProvisioning(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (instance === undefined) return stop(situation, failureTarget(situation), { code: 'INSTANCE_LOST', text: 'The incarnation vanished from the record.' });
  if (observed === undefined) return observe(now);
  if (observed.phase === 'running') {
    const deadlineAt = now + policy.bootMs;
    return {
      patch: { state: 'booting', deadlineAt },
      instance: { kind: 'phase', phase: 'running' },
      effect: { kind: 'none' },
      nextActionAt: deadlineAt,
      cause: 'started',
    };
  }
  if (observed.phase === 'exited') return failedStart(situation, exitReason(observed, 'START_FAILED'));
  if (now >= deadlineOf(vm, now)) {
    const code = observed.reasonCode ?? 'PROVISION_TIMEOUT';
    return failedStart(situation, { code, text: observed.text === undefined ? 'It did not start in time.' : `It did not start in time: ${observed.text}` });
  }
  // The intent was committed and nothing runs: whoever made it died before the effect. Creating is idempotent for an epoch.
  if (observed.phase === 'absent') return { patch: {}, effect: { kind: 'create' }, nextActionAt: now + (observed.retryAfterMs ?? 1_000) };
  const again = Math.min(now + (observed.retryAfterMs ?? 1_000), deadlineOf(vm, now));
  // Why it takes so long is said while it does.
  const says = observed.reasonCode !== undefined && observed.reasonCode !== vm.reason?.code;
  return says ? { ...rest(again), patch: { reason: { code: observed.reasonCode as string, text: observed.text ?? '' } } } : rest(again);
}

function failedStart(situation: Situation, reason: Reason): Decision {
  const { observed, vm } = situation;
  if (observed?.failure === 'permanent') return stop(situation, 'failed', reason);
  const decision = stop(situation, failureTarget(situation), reason);
  if (observed?.failure !== 'capacity') return { ...decision, patch: { ...decision.patch, excludeHost: true } };
  // Another host may have room; this was no attempt.
  return { ...decision, patch: { ...decision.patch, stopTarget: 'requested', attempt: Math.max(0, vm.attempt - 1), excludeHost: true } };
}

function onBooting(situation: Situation): Decision {
  const { vm, observed, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return failedStart(situation, exitReason(observed, 'BOOT_FAILED'));
  if (now >= deadlineOf(vm, now)) return failedStart(situation, { code: 'BOOT_TIMEOUT', text: 'It started, but did not connect in time.' });
  return rest(deadlineOf(vm, now));
}

function onReady(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return crash(situation, exitReason(observed, 'EXITED'));
  const leaseUntil = instance?.leaseUntil ?? now;
  if (leaseUntil <= now) return suspect(situation);
  if (vm.desired === 'paused') {
    const reason = { code: 'PAUSED', text: 'Somebody paused it.' };
    return vm.activeRuns > 0 ? drain(situation, reason) : pause(situation, reason);
  }
  if (vm.drainReason !== undefined) return drain(situation, { code: 'DRAINED', text: `It is taken out of use (${vm.drainReason}).` });
  const oldAt = (instance?.startedAt ?? now) + policy.maxLifeMs;
  if (vm.openRuns > 0 || vm.generation > vm.observedGeneration) {
    const tooOldAt = oldAt + policy.lifeGraceMs;
    if (tooOldAt > now || vm.activeRuns === 0) return rest(tooOldAt > now ? Math.min(leaseUntil, tooOldAt) : leaseUntil);
    return drain(situation, { code: 'MAX_LIFE', text: 'It reached its maximum life while it worked.' }, 'max-life');
  }
  const idleAt = Math.max(vm.lastActivityAt, vm.stateSince) + policy.idleMs;
  // Exactly at the limit it is kept.
  if (idleAt < now) return pause(situation, { code: 'IDLE', text: 'Nothing used it for a while; it starts again on demand.' });
  if (oldAt <= now) return pause(situation, { code: 'MAX_LIFE', text: 'It reached its maximum life; it starts again on demand.' });
  return rest(Math.min(leaseUntil, idleAt + 1, oldAt));
}

function suspect({ now, policy }: Situation): Decision {
  const deadlineAt = now + policy.suspectMs;
  return moved({ state: 'suspect', deadlineAt, reason: { code: 'LEASE_EXPIRED', text: 'It sent no heartbeat in time.' } }, deadlineAt, 'lease-expired');
}

function drain({ now, policy }: Situation, reason: Reason, drainReason?: string): Decision {
  const deadlineAt = now + policy.drainMs;
  return {
    patch: { state: 'draining', deadlineAt, stopTarget: 'paused', reason, ...(drainReason === undefined ? {} : { drainReason }) },
    effect: { kind: 'sendDrain', graceMs: policy.drainMs, snapshot: false },
    nextActionAt: now,
    cause: reason.code.toLowerCase().replaceAll('_', '-'),
  };
}

function pause({ now, policy }: Situation, reason: Reason): Decision {
  return {
    patch: { state: 'pausing', deadlineAt: now + policy.pauseMs, stopTarget: 'paused', reason, pauseDegraded: false },
    effect: { kind: 'sendDrain', graceMs: policy.pauseMs, snapshot: true },
    nextActionAt: now,
    cause: reason.code.toLowerCase().replaceAll('_', '-'),
  };
}

/** How soon to look again for a run that ends or a snapshot that comes; both also wake the VM. */
const POLL_MS = 1_000;

function onDraining(situation: Situation): Decision {
  const { vm, observed, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return stop(situation, 'paused', exitReason(observed, 'EXITED'));
  if (vm.drainReason === undefined && vm.desired === 'running')
    return moved({ state: 'ready', deadlineAt: null, stopTarget: null, reason: null }, now, 'drain-cancelled');
  if (vm.activeRuns === 0) return pause(situation, vm.reason ?? { code: 'DRAINED', text: 'It was drained.' });
  if (now >= deadlineOf(vm, now))
    return stop(situation, 'paused', { code: 'DRAIN_DEADLINE', text: 'Its runs did not finish in time; they go on in the next incarnation.' });
  return rest(Math.min(now + POLL_MS, deadlineOf(vm, now)));
}

function onPausing(situation: Situation): Decision {
  const { vm, instance, observed, now } = situation;
  const reason = vm.reason ?? { code: 'PAUSED', text: 'It was paused.' };
  if (instance === undefined) return stop(situation, 'paused', reason);
  if (observed === undefined) return observe(now);
  if (vm.snapshotsPending === 0) return stop(situation, 'paused', reason);
  if (isGone(observed) || now >= deadlineOf(vm, now)) {
    const decision = stop(situation, 'paused', { code: reason.code, text: `${reason.text} Its last snapshot was not taken; it goes on from the one before.` });
    return { ...decision, patch: { ...decision.patch, pauseDegraded: true } };
  }
  return rest(Math.min(now + POLL_MS, deadlineOf(vm, now)));
}

function onWarm(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return stop(situation, 'terminated', exitReason(observed, 'EXITED'));
  const leaseUntil = instance?.leaseUntil ?? now;
  if (leaseUntil <= now) return suspect(situation);
  const oldAt = vm.stateSince + policy.maxLifeMs;
  if (oldAt <= now) return stop(situation, 'terminated', { code: 'POOL_AGE', text: 'It waited in its pool for too long.' });
  return rest(Math.min(leaseUntil, oldAt));
}

function onSuspect(situation: Situation): Decision {
  const { vm, instance, observed, now } = situation;
  if (observed === undefined) return observe(now);
  if (isGone(observed)) return crash(situation, exitReason(observed, 'EXITED'));
  const leaseUntil = instance?.leaseUntil ?? 0;
  // A member of a pool has no way back from here: another one takes its place.
  if (leaseUntil > now && vm.poolId === undefined) return moved({ state: 'ready', deadlineAt: null, reason: null }, leaseUntil, 'heartbeat');
  if (now >= deadlineOf(vm, now) || vm.poolId !== undefined)
    return crash(situation, { code: 'LEASE_EXPIRED', text: 'It sent no heartbeat and did not come back.' });
  return rest(deadlineOf(vm, now));
}

function onStopping(situation: Situation): Decision {
  const { vm, instance, observed, policy, now } = situation;
  if (instance !== undefined) {
    if (observed === undefined) return observe(now);
    // Never left before the end is confirmed: the successor would run beside it.
    if (!isGone(observed)) {
      const patience = observed.reasonCode === 'NODE_LOST' ? policy.unreachableMs : 0;
      return { patch: {}, effect: { kind: 'destroy', force: now >= deadlineOf(vm, now) + patience }, nextActionAt: now + 1_000 };
    }
  }
  const target = finalTarget(vm);
  const gone = instance === undefined ? {} : { instance: { kind: 'phase', phase: 'gone', exit: exitOf(observed) } as const };
  if (target === 'backoff') {
    const wait = vm.attempt > 0 ? startBackoff(vm.attempt, policy, situation.random) : crashBackoff(vm.crashes - 1, policy, situation.random);
    return { ...moved({ state: 'backoff', deadlineAt: now + wait, stopTarget: null, drainReason: null }, now + wait, 'stopped'), ...gone };
  }
  if (target === 'requested') return { ...moved({ state: 'requested', deadlineAt: null, stopTarget: null, drainReason: null }, now, 'stopped'), ...gone };
  if (target === 'paused') {
    const until = now + policy.retentionMs;
    // What was asked for before has been answered by now, even if with a failure: only a new wish starts it again.
    const patch = { state: 'paused', deadlineAt: until, stopTarget: null, drainReason: null, observedGeneration: vm.generation, attempt: 0 } as const;
    return { ...moved(patch, until, 'stopped'), ...gone };
  }
  return { ...end(situation, target, 'stopped'), ...gone };
}

/** The target may have changed while the old incarnation was ending: an owner may end or pause the VM, or somebody may need it again. */
function finalTarget(vm: VmView): StopTarget {
  if (vm.desired === 'terminated') return 'terminated';
  const target = vm.stopTarget ?? 'paused';
  if (vm.desired === 'paused' && target !== 'failed' && target !== 'terminated') return 'paused';
  return target === 'paused' && isWanted(vm) ? 'requested' : target;
}

function onPaused(situation: Situation): Decision {
  const { vm, now } = situation;
  if (isWanted(vm)) return moved({ state: 'requested', deadlineAt: null, attempt: 0, reason: null, pauseDegraded: false }, now, 'demand');
  const until = deadlineOf(vm, now);
  return until <= now ? end(situation, 'terminated', 'retention') : rest(until);
}

function onBackoff(situation: Situation): Decision {
  const { vm, now } = situation;
  const until = deadlineOf(vm, now);
  if (vm.desired === 'paused') return moved({ state: 'requested', deadlineAt: null }, now, 'pause');
  return until <= now ? moved({ state: 'requested', deadlineAt: null }, now, 'retry') : rest(until);
}

/** An incarnation that was ready is gone, or as good as gone: replaced when somebody needs it, else left until somebody does. */
function crash(situation: Situation, reason: Reason): Decision {
  const { vm, instance, policy, now } = situation;
  if (vm.poolId !== undefined) return stop(situation, 'terminated', reason);
  const lived = now - (instance?.attachedAt ?? now);
  const earlier = lived >= policy.stableMs ? 0 : vm.crashes;
  const target: StopTarget = !isWanted(vm) ? 'paused' : crashBackoff(earlier, policy, situation.random) === 0 ? 'requested' : 'backoff';
  const decision = stop(situation, target, reason);
  return { ...decision, patch: { ...decision.patch, crashes: earlier + 1, attempt: 0, ...(vm.desired === 'paused' ? { pauseDegraded: true } : {}) } };
}

function failureTarget({ vm, policy }: Situation): StopTarget {
  return vm.attempt >= policy.maxAttempts ? 'failed' : 'backoff';
}

/** An orderly stop that is not the VM's fault: whoever has a run comes back as soon as somebody can start it, the others on demand. */
export function park(situation: Situation, reason: Reason): Decision {
  assertEdge(situation.vm.state, 'stopping');
  return stop(situation, situation.vm.poolId !== undefined ? 'terminated' : isWanted(situation.vm) ? 'requested' : 'paused', reason);
}
