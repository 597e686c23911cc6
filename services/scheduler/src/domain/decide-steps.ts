import type { VmPolicy } from './policy.js';
import type { Decision, InstanceView, Observation, Placement, Reason, VmPatch, VmView } from './vm.js';
import type { StopTarget, VmState } from './vm-state.js';

/** Everything a decision depends on. `now` is the database clock; `random` (0 ≤ n < 1) spreads waits. */
export interface Situation {
  readonly vm: VmView;
  /** The incarnation that is not gone. */
  readonly instance: InstanceView | undefined;
  /** What the provider said in this very step; undefined: not asked yet, or it could not say. */
  readonly observed: Observation | undefined;
  /** Where it could be started; looked up only in `requested`. Undefined: here. */
  readonly placement?: Placement | undefined;
  readonly policy: VmPolicy;
  readonly now: number;
  readonly random: number;
}

/** How soon to look again when the provider could not say anything. */
const ASK_AGAIN_MS = 1_000;

export function stop(situation: Situation, stopTarget: StopTarget, reason: Reason): Decision {
  const { instance, observed, policy, now } = situation;
  const patch: VmPatch = { state: 'stopping', stopTarget, deadlineAt: now + policy.stopMs, reason };
  const phase = instance === undefined ? {} : { instance: { kind: 'phase', phase: 'stopping', exit: exitOf(observed) } as const };
  // Also when its main process is gone: tools that it started may still be running in the workspace of its successor.
  const effect = instance === undefined ? ({ kind: 'none' } as const) : ({ kind: 'destroy', force: false } as const);
  return { patch, ...phase, effect, nextActionAt: now, cause: reason.code.toLowerCase().replaceAll('_', '-') };
}

export function end(situation: Situation, state: 'terminated' | 'failed', cause: string): Decision {
  return {
    patch: { state, deadlineAt: null, stopTarget: null, observedGeneration: situation.vm.generation },
    effect: { kind: 'none' },
    nextActionAt: null,
    cause,
  };
}

export function moved(patch: VmPatch & { readonly state: VmState }, nextActionAt: number, cause: string): Decision {
  return { patch, effect: { kind: 'none' }, nextActionAt, cause };
}

export function rest(nextActionAt: number | null): Decision {
  return { patch: {}, effect: { kind: 'none' }, nextActionAt };
}

export function observe(now: number): Decision {
  return { patch: {}, effect: { kind: 'observe' }, nextActionAt: now + ASK_AGAIN_MS };
}

export function isGone(observed: Observation | undefined): boolean {
  return observed?.phase === 'absent' || observed?.phase === 'exited';
}

/** Somebody waits for it: a run without an end, a call that was made since it was last ready, or its pool. */
export function isWanted(vm: Pick<VmView, 'openRuns' | 'generation' | 'observedGeneration' | 'desired'>): boolean {
  return vm.desired === 'running' && (vm.openRuns > 0 || vm.generation > vm.observedGeneration);
}

/** A state that ought to have a deadline and has none is treated as due: it must not sleep for ever. */
export function deadlineOf(vm: VmView, now: number): number {
  return vm.deadlineAt ?? now;
}

export function exitReason(observed: Observation | undefined, fallback: string): Reason {
  const code = observed?.reasonCode ?? fallback;
  if (observed?.failure !== undefined) return { code, text: observed.text ?? 'It could not be started.' };
  const how =
    observed?.signal !== undefined ? `was ended by ${observed.signal}` : observed?.exitCode !== undefined ? `exited with code ${observed.exitCode}` : 'is gone';
  return { code, text: observed?.text ? `The runtime ${how}: ${observed.text}` : `The runtime ${how}.` };
}

export function exitOf(observed: Observation | undefined): { readonly code?: number; readonly signal?: string; readonly text?: string } {
  return {
    ...(observed?.exitCode === undefined ? {} : { code: observed.exitCode }),
    ...(observed?.signal === undefined ? {} : { signal: observed.signal }),
    ...(observed?.text === undefined ? {} : { text: observed.text }),
  };
}
