import { describe, expect, it } from '@jest/globals';
import { decide, type Situation } from './decide.js';
import { fencingProblem, LOCAL_POLICY } from './policy.js';
import type { InstanceView, Observation, VmView } from './vm.js';

const NOW = 1_000_000_000;

function vm(rest: Partial<VmView>): VmView {
  return {
    id: 'vm-1',
    state: 'ready',
    stateSince: NOW - 1_000,
    desired: 'running',
    generation: 1,
    observedGeneration: 1,
    epoch: 7,
    attempt: 0,
    crashes: 0,
    deadlineAt: undefined,
    stopTarget: undefined,
    reason: undefined,
    lastActivityAt: NOW - 1_000,
    openRuns: 0,
    activeRuns: rest.openRuns ?? 0,
    poolId: undefined,
    drainReason: undefined,
    snapshotsPending: 0,
    ...rest,
  };
}

const instance = (rest: Partial<InstanceView> = {}): InstanceView => ({
  epoch: 7,
  phase: 'running',
  startedAt: NOW - 10_000,
  attachedAt: NOW - 5_000,
  leaseUntil: NOW + 20_000,
  ...rest,
});

const situation = (view: Partial<VmView>, rest: Partial<Situation> = {}): Situation => ({
  vm: vm(view),
  instance: instance(),
  observed: { phase: 'running' },
  policy: LOCAL_POLICY,
  now: NOW,
  random: 0.5,
  ...rest,
});

const GONE: Observation = { phase: 'exited', signal: 'SIGKILL', text: 'last words' };

describe('decide', () => {
  it('commits the intent of a start before the start, with its deadline', () => {
    expect(decide(situation({ state: 'requested' }, { instance: undefined, observed: undefined }))).toMatchObject({
      patch: { state: 'provisioning', attempt: 1, deadlineAt: NOW + 60_000 },
      instance: { kind: 'create' },
      effect: { kind: 'create' },
      nextActionAt: NOW, // the claim alone keeps others away: whoever made it may die before the outcome is written
    });
  });

  it('starts what was intended when nothing of it runs', () => {
    const lost = situation(
      { state: 'provisioning', attempt: 1, deadlineAt: NOW + 60_000 },
      { instance: instance({ phase: 'creating' }), observed: { phase: 'absent' } },
    );
    expect(decide(lost)).toMatchObject({ patch: {}, effect: { kind: 'create' } });
  });

  it('never starts a second incarnation while one is on record', () => {
    expect(decide(situation({ state: 'requested' }))).toMatchObject({ patch: { state: 'stopping', stopTarget: 'requested' } });
  });

  it('replaces an incarnation that died during a run at once, and says how it died', () => {
    const died = decide(situation({ openRuns: 1 }, { observed: GONE }));
    expect(died).toMatchObject({
      patch: { state: 'stopping', stopTarget: 'requested', crashes: 1, reason: { code: 'EXITED', text: 'The runtime was ended by SIGKILL: last words' } },
      instance: { kind: 'phase', phase: 'stopping', exit: { signal: 'SIGKILL', text: 'last words' } },
    });
    expect(decide(situation({ state: 'stopping', openRuns: 1, stopTarget: 'requested', crashes: 1 }, { observed: GONE }))).toMatchObject({
      patch: { state: 'requested' },
      instance: { kind: 'phase', phase: 'gone' },
      nextActionAt: NOW,
    });
  });

  it('waits longer for each crash in a row, and forgets them after a stable minute', () => {
    const second = decide(situation({ openRuns: 1, crashes: 1 }, { observed: GONE }));
    expect(second.patch).toMatchObject({ stopTarget: 'backoff', crashes: 2 });
    const waits = [2, 3, 4].map(
      (crashes) => decide(situation({ state: 'stopping', stopTarget: 'backoff', crashes, openRuns: 1 }, { observed: GONE })).patch.deadlineAt,
    );
    expect(waits).toEqual([NOW + 1_000, NOW + 2_000, NOW + 4_000]);
    const stable = instance({ attachedAt: NOW - 60_000 });
    expect(decide(situation({ openRuns: 1, crashes: 5 }, { observed: GONE, instance: stable })).patch).toMatchObject({ stopTarget: 'requested', crashes: 1 });
  });

  it('leaves an incarnation that died without a run until somebody needs it', () => {
    expect(decide(situation({}, { observed: GONE })).patch).toMatchObject({ state: 'stopping', stopTarget: 'paused' });
    const paused = { state: 'paused', deadlineAt: NOW + 1_000_000 } as const;
    expect(decide(situation(paused, { instance: undefined }))).toMatchObject({ patch: {}, effect: { kind: 'none' }, nextActionAt: NOW + 1_000_000 });
    expect(decide(situation({ ...paused, generation: 2 }, { instance: undefined })).patch).toMatchObject({ state: 'requested' });
    expect(decide(situation({ ...paused, openRuns: 1 }, { instance: undefined })).patch).toMatchObject({ state: 'requested' });
  });

  it('A9: tries six times with growing waits when it never becomes ready, then fails', () => {
    const waits: number[] = [];
    for (const attempt of [1, 2, 3, 4, 5]) {
      const booting = situation({ state: 'booting', attempt, deadlineAt: NOW + 30_000 }, { observed: GONE });
      expect(decide(booting).patch.stopTarget).toBe('backoff');
      waits.push((decide(situation({ state: 'stopping', stopTarget: 'backoff', attempt }, { observed: GONE })).patch.deadlineAt as number) - NOW);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
    expect(decide(situation({ state: 'booting', attempt: 6, deadlineAt: NOW + 30_000 }, { observed: GONE })).patch.stopTarget).toBe('failed');
    expect(decide(situation({ state: 'stopping', stopTarget: 'failed', attempt: 6 }, { observed: GONE }))).toMatchObject({
      patch: { state: 'failed' },
      instance: { phase: 'gone' },
      nextActionAt: null,
    });
  });

  it('A6: suspects a silent incarnation, takes it back when it beats, replaces it after the grace', () => {
    const silent = instance({ leaseUntil: NOW });
    expect(decide(situation({ openRuns: 1 }, { instance: silent })).patch).toMatchObject({ state: 'suspect', deadlineAt: NOW + 30_000 });
    expect(decide(situation({ state: 'suspect', deadlineAt: NOW + 1 })).patch).toMatchObject({ state: 'ready' });
    expect(decide(situation({ state: 'suspect', deadlineAt: NOW + 1 }, { instance: silent }))).toMatchObject({ patch: {}, nextActionAt: NOW + 1 });
    expect(decide(situation({ state: 'suspect', deadlineAt: NOW, openRuns: 1 }, { instance: silent }))).toMatchObject({
      patch: { state: 'stopping', stopTarget: 'requested' },
      effect: { kind: 'destroy' },
    });
  });

  it('stops an idle VM, but never one with a run or a caller', () => {
    const idle = { lastActivityAt: NOW - 31 * 60_000, stateSince: NOW - 31 * 60_000 };
    expect(decide(situation(idle)).patch).toMatchObject({ state: 'pausing', stopTarget: 'paused', reason: { code: 'IDLE' } });
    const sinceMs = (ms: number) => decide(situation({ lastActivityAt: NOW - ms, stateSince: NOW - ms })).patch.state;
    expect([sinceMs(LOCAL_POLICY.idleMs), sinceMs(LOCAL_POLICY.idleMs + 1)]).toEqual([undefined, 'pausing']);
    expect(decide(situation({ ...idle, openRuns: 1 })).patch).toEqual({});
    expect(decide(situation({ ...idle, generation: 2 })).patch).toEqual({});
  });

  it('starts again what is wanted while it is being stopped for idleness', () => {
    const stopping = { state: 'stopping', stopTarget: 'paused', deadlineAt: NOW + 1 } as const;
    expect(decide(situation({ ...stopping, generation: 2 }, { observed: { phase: 'absent' } })).patch).toMatchObject({ state: 'requested' });
    expect(decide(situation({ ...stopping, desired: 'terminated', generation: 2 }, { observed: { phase: 'absent' } })).patch).toMatchObject({
      state: 'terminated',
    });
  });

  it('never leaves stopping before the end is confirmed', () => {
    const stopping = { state: 'stopping', stopTarget: 'terminated', deadlineAt: NOW - 1 } as const;
    for (const phase of ['running', 'starting', 'unknown'] as const) {
      expect(decide(situation(stopping, { observed: { phase } }))).toMatchObject({ patch: {}, effect: { kind: 'destroy', force: true } });
    }
  });

  it.each(['provisioning', 'booting', 'ready', 'suspect', 'draining', 'pausing'] as const)('ends a VM that is %s when its owner says so', (state) => {
    expect(decide(situation({ state, desired: 'terminated', deadlineAt: NOW + 1 })).patch).toMatchObject({ state: 'stopping', stopTarget: 'terminated' });
  });

  it.each(['requested', 'paused', 'backoff'] as const)('ends a VM that is %s and has no incarnation at once', (state) => {
    expect(decide(situation({ state, desired: 'terminated' }, { instance: undefined, observed: undefined })).patch).toMatchObject({ state: 'terminated' });
  });
});

describe('the fencing arithmetic', () => {
  it('holds for the defaults', () => {
    expect(fencingProblem(LOCAL_POLICY)).toBeUndefined();
  });

  it('refuses numbers with which a successor could run beside the tools of its predecessor', () => {
    expect(fencingProblem({ leaseMs: 20_000, suspectMs: 30_000 })).toMatch(/must exceed 55000 ms/);
  });

  describe('pausing and draining', () => {
    it('asks for snapshots when somebody pauses it, and lets runs finish first', () => {
      expect(decide(situation({ desired: 'paused' }))).toMatchObject({ patch: { state: 'pausing' }, effect: { kind: 'sendDrain', snapshot: true } });
      expect(decide(situation({ desired: 'paused', openRuns: 1 }))).toMatchObject({
        patch: { state: 'draining' },
        effect: { kind: 'sendDrain', snapshot: false },
      });
      const draining = { state: 'draining', desired: 'paused', stopTarget: 'paused', deadlineAt: NOW + 1_000 } as const;
      expect(decide(situation({ ...draining, openRuns: 1 })).patch).toEqual({});
      expect(decide(situation(draining)).patch).toMatchObject({ state: 'pausing' });
    });

    it('waits for the snapshots, and says so when it goes without them', () => {
      const pausing = { state: 'pausing', stopTarget: 'paused', snapshotsPending: 1, deadlineAt: NOW + 1_000 } as const;
      expect(decide(situation(pausing)).patch).toEqual({});
      expect(decide(situation({ ...pausing, snapshotsPending: 0 })).patch).toMatchObject({ state: 'stopping', stopTarget: 'paused' });
      expect(decide(situation({ ...pausing, deadlineAt: NOW })).patch).toMatchObject({ state: 'stopping', pauseDegraded: true });
    });

    it('remembers a pause that came before it was ready, and never starts a VM only to pause it', () => {
      expect(decide(situation({ state: 'booting', desired: 'paused', deadlineAt: NOW + 1 })).patch).toEqual({});
      expect(decide(situation({ state: 'requested', desired: 'paused' }, { instance: undefined })).patch).toMatchObject({
        state: 'stopping',
        stopTarget: 'paused',
      });
      expect(decide(situation({ state: 'backoff', desired: 'paused', deadlineAt: NOW + 9_000 }, { instance: undefined })).patch).toMatchObject({
        state: 'requested',
      });
    });

    it('finishes a pause although somebody wants it again meanwhile, and starts it right after', () => {
      expect(decide(situation({ state: 'pausing', stopTarget: 'paused', snapshotsPending: 1, deadlineAt: NOW + 1_000, generation: 2 })).patch).toEqual({});
      expect(decide(situation({ state: 'stopping', stopTarget: 'paused', generation: 2 }, { observed: GONE })).patch).toMatchObject({ state: 'requested' });
    });

    it('drains at the wish of somebody, moves the runs at the deadline, and comes back when the wish is taken back', () => {
      expect(decide(situation({ drainReason: 'host', openRuns: 1 })).patch).toMatchObject({ state: 'draining', deadlineAt: NOW + LOCAL_POLICY.drainMs });
      const draining = { state: 'draining', stopTarget: 'paused', openRuns: 1, drainReason: 'host' } as const;
      expect(decide(situation({ ...draining, deadlineAt: NOW })).patch).toMatchObject({ state: 'stopping' });
      expect(decide(situation({ ...draining, state: 'stopping' }, { observed: GONE })).patch).toMatchObject({ state: 'requested', drainReason: null });
      expect(decide(situation({ ...draining, drainReason: undefined, deadlineAt: NOW + 1 })).patch).toMatchObject({ state: 'ready' });
    });

    it('lets a run go on for a while beyond the maximum life, and then drains it', () => {
      const old = (ms: number) => ({ instance: instance({ startedAt: NOW - LOCAL_POLICY.maxLifeMs - ms }) });
      expect(decide(situation({ openRuns: 1 }, old(1_000))).patch).toEqual({});
      expect(decide(situation({ openRuns: 1 }, old(LOCAL_POLICY.lifeGraceMs + 1))).patch).toMatchObject({ state: 'draining', drainReason: 'max-life' });
    });
  });

  describe('starts that are refused', () => {
    const provisioning = { state: 'provisioning', attempt: 1, deadlineAt: NOW + 60_000 } as const;
    const refused = (observed: Observation) => decide(situation(provisioning, { instance: instance({ phase: 'creating' }), observed }));

    it('fails at once what can never work', () => {
      expect(refused({ phase: 'exited', failure: 'permanent', reasonCode: 'INVALID_SPEC', text: 'no such image' }).patch).toMatchObject({
        state: 'stopping',
        stopTarget: 'failed',
        reason: { code: 'INVALID_SPEC', text: 'no such image' },
      });
    });

    it('goes elsewhere when a host is full, and that is no attempt', () => {
      expect(refused({ phase: 'exited', failure: 'capacity', text: 'full' }).patch).toMatchObject({ stopTarget: 'requested', attempt: 0, excludeHost: true });
    });

    it('are no end of an incarnation that somebody else has started meanwhile', () => {
      const failed: Observation = { phase: 'exited', failure: 'start', text: 'no room' };
      expect(decide(situation({ openRuns: 1 }, { observed: failed }))).toMatchObject({ patch: {}, effect: { kind: 'observe' } });
    });

    it('waits as long as a provider asks for', () => {
      expect(refused({ phase: 'unknown', failure: 'unavailable', retryAfterMs: 2_000 })).toMatchObject({ patch: {}, nextActionAt: NOW + 2_000 });
    });

    it('leaves a VM to the host that was chosen at once, and waits for that host only so long', () => {
      const elsewhere = { kind: 'elsewhere', hostId: 'b' } as const;
      const requested = (isChosen: boolean, stateSince: number) =>
        decide(situation({ state: 'requested', stateSince }, { instance: undefined, placement: { ...elsewhere, isChosen } }));
      expect(requested(false, NOW - 40_000)).toMatchObject({ patch: { hostId: 'b' }, nextActionAt: NOW });
      expect(requested(true, NOW - 1_000)).toMatchObject({ patch: {}, nextActionAt: NOW + 1_000 });
      expect(requested(true, NOW - 40_000).patch).toMatchObject({ state: 'backoff', reason: { code: 'HOST_SILENT' } });
    });

    it('waits for a place without counting it as an attempt', () => {
      const nowhere = { kind: 'nowhere', code: 'WORKSPACE_HOST_DOWN', text: 'its host is down' } as const;
      const waiting = decide(situation({ state: 'requested' }, { instance: undefined, placement: nowhere }));
      expect(waiting.patch).toMatchObject({ state: 'backoff', reason: { code: 'WORKSPACE_HOST_DOWN' } });
      expect(waiting.patch.attempt).toBeUndefined();
    });
  });

  describe('members of a warm pool', () => {
    const warm = { state: 'warm', poolId: 'p' } as const;
    it('wait, go when they are too old, and never come back once their lease ran out', () => {
      expect(decide(situation(warm)).patch).toEqual({});
      expect(decide(situation({ ...warm, stateSince: NOW - LOCAL_POLICY.maxLifeMs })).patch).toMatchObject({ state: 'stopping', stopTarget: 'terminated' });
      expect(decide(situation(warm, { instance: instance({ leaseUntil: NOW }) })).patch).toMatchObject({ state: 'suspect' });
      expect(decide(situation({ ...warm, state: 'suspect', deadlineAt: NOW + 9_000 })).patch).toMatchObject({ state: 'stopping', stopTarget: 'terminated' });
      expect(decide(situation(warm, { observed: GONE })).patch).toMatchObject({ state: 'stopping', stopTarget: 'terminated' });
    });
  });
});
