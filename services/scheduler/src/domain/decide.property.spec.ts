import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { admissionPath } from './admit.js';
import { decide } from './decide.js';
import { LOCAL_POLICY } from './policy.js';
import type { Decision, InstanceView, Observation, VmView } from './vm.js';
import { assertEdge, isTerminal, takesWork, type VmState } from './vm-state.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
interface Row extends Writable<VmView> {
  owner: number;
  nextActionAt: number | null;
  rowVersion: number;
}
interface Incarnation extends Writable<InstanceView> {
  vmId: string;
}
/** A replica that has committed an intent and has not performed its effect yet: the place where crashes hurt. */
interface Pending {
  vmId: string;
  epoch: number;
  effect: Exclude<Decision['effect'], { kind: 'none' }>;
  observed?: Observation;
}

/** A small world: two owners, two replicas, one database, and a provider that knows what really runs. */
class World {
  now = 1_000_000;
  epoch = 0;
  vms: Row[] = [];
  instances: Incarnation[] = [];
  running: { vmId: string; epoch: number }[] = [];
  pending: (Pending | undefined)[] = [undefined, undefined];
  unreachable = false;

  liveRow(owner: number): Row | undefined {
    return this.vms.find((row) => row.owner === owner && !isTerminal(row.state));
  }

  ensure(owner: number): void {
    const row = this.liveRow(owner);
    if (row === undefined) {
      this.vms.push({
        id: `vm-${this.vms.length + 1}`,
        owner,
        state: 'requested',
        stateSince: this.now,
        desired: 'running',
        generation: 1,
        observedGeneration: 0,
        epoch: 0,
        attempt: 0,
        crashes: 0,
        deadlineAt: undefined,
        stopTarget: undefined,
        reason: undefined,
        lastActivityAt: this.now,
        openRuns: 0,
        activeRuns: 0,
        poolId: undefined,
        drainReason: undefined,
        snapshotsPending: 0,
        nextActionAt: this.now,
        rowVersion: 1,
      });
    } else if (row.desired !== 'terminated' && (row.state === 'paused' || row.state === 'stopping')) {
      Object.assign(row, { generation: row.generation + 1, nextActionAt: this.now, rowVersion: row.rowVersion + 1 });
    }
  }

  terminate(owner: number): void {
    const row = this.liveRow(owner);
    if (row !== undefined) Object.assign(row, { desired: 'terminated', nextActionAt: this.now, rowVersion: row.rowVersion + 1 });
  }

  startRun(owner: number): void {
    this.ensure(owner);
    const row = this.liveRow(owner);
    if (row !== undefined && row.desired === 'running') Object.assign(row, { openRuns: 1, rowVersion: row.rowVersion + 1, nextActionAt: this.now });
  }

  endRun(owner: number): void {
    const row = this.liveRow(owner);
    if (row !== undefined) row.openRuns = 0;
  }

  /** What is read at one moment; deciding and committing may happen later, when somebody else has moved the row. */
  read(vmId: string): { row: Row; instance: Incarnation | undefined } {
    const row = { ...(this.vms.find((candidate) => candidate.id === vmId) as Row) };
    const instance = this.instances.find((candidate) => candidate.vmId === vmId && candidate.phase !== 'gone');
    return { row, instance: instance && { ...instance } };
  }

  /** One turn of a replica: perform what is pending, or take a due row; then decide and commit. */
  turn(replica: number, fault: 'none' | 'effect-fails' | 'effect-answer-lost' | 'unknown'): void {
    const pending = this.pending[replica];
    let vmId: string;
    let observed: Observation | undefined;
    if (pending === undefined) {
      const due = this.vms.find((row) => row.nextActionAt !== null && row.nextActionAt <= this.now);
      if (due === undefined) return;
      vmId = due.id;
    } else {
      this.pending[replica] = undefined;
      vmId = pending.vmId;
      observed = this.perform(pending, fault);
      if (fault === 'effect-answer-lost') return;
    }
    const { row, instance } = this.read(vmId);
    const decision = decide({ vm: row, instance, observed, policy: LOCAL_POLICY, now: this.now, random: 0.5 });
    if (!this.commit(row, decision)) return;
    const { effect } = decision;
    if (effect.kind !== 'none') this.pending[replica] = { vmId, epoch: this.read(vmId).row.epoch, effect };
  }

  private perform({ vmId, epoch, effect }: Pending, fault: string): Observation | undefined {
    if (fault === 'unknown' || this.unreachable) return { phase: 'unknown' };
    if (effect.kind === 'create' && fault !== 'effect-fails') {
      // The provider asks once more before it starts anything: the claim of a stalled replica may be over.
      const current = this.instances.find((instance) => instance.vmId === vmId && instance.epoch === epoch);
      if (current?.phase === 'creating' && !this.running.some((process) => process.epoch === epoch)) this.running.push({ vmId, epoch });
    }
    if (effect.kind === 'create' && fault === 'effect-fails') return { phase: 'exited', text: 'no room' };
    if (effect.kind === 'destroy' && fault !== 'effect-fails') this.running = this.running.filter((process) => process.epoch !== epoch);
    return { phase: this.running.some((process) => process.epoch === epoch) ? 'running' : 'absent' };
  }

  /** Compare-and-set on row version and epoch, as the database does it. */
  private commit(read: Row, decision: Decision): boolean {
    const row = this.vms.find((candidate) => candidate.id === read.id) as Row;
    if (row.rowVersion !== read.rowVersion || row.epoch !== read.epoch) return false;
    const { state, deadlineAt, stopTarget, reason, ...rest } = decision.patch;
    const changed = Object.keys(decision.patch).length > 0 || decision.instance !== undefined;
    Object.assign(row, rest, { nextActionAt: decision.nextActionAt }, changed ? { rowVersion: row.rowVersion + 1 } : {});
    if (deadlineAt !== undefined) row.deadlineAt = deadlineAt ?? undefined;
    if (stopTarget !== undefined) row.stopTarget = stopTarget ?? undefined;
    if (state !== undefined) this.move(row, state);
    if (decision.instance?.kind === 'create') {
      this.epoch += 1;
      row.epoch = this.epoch;
      this.instances.push({ vmId: row.id, epoch: this.epoch, phase: 'creating', startedAt: this.now, attachedAt: undefined, leaseUntil: undefined });
    } else if (decision.instance !== undefined) {
      const instance = this.instances.find((candidate) => candidate.vmId === row.id && candidate.phase !== 'gone') as Incarnation;
      instance.phase = decision.instance.phase;
    }
    return true;
  }

  private move(row: Row, to: VmState): void {
    assertEdge(row.state, to);
    Object.assign(row, { state: to, stateSince: this.now });
  }

  /** The runtime connects, as a gateway would report it. */
  attach(index: number): void {
    const process = this.running[index % Math.max(1, this.running.length)];
    const row = this.vms.find((candidate) => candidate.id === process?.vmId);
    const instance = this.instances.find((candidate) => candidate.epoch === process?.epoch);
    if (process === undefined || row === undefined || instance === undefined || row.epoch !== process.epoch) return;
    const path = admissionPath(row.state);
    if (path === undefined) return;
    for (const state of path) this.move(row, state);
    Object.assign(instance, { phase: 'running', attachedAt: instance.attachedAt ?? this.now, leaseUntil: this.now + 30_000 });
    Object.assign(row, { observedGeneration: row.generation, attempt: 0, deadlineAt: undefined, nextActionAt: this.now, rowVersion: row.rowVersion + 1 });
  }

  /** A runtime dies; the provider's watch wakes its VM. */
  die(index: number): void {
    const [dead] = this.running.splice(index % Math.max(1, this.running.length), 1);
    const row = this.vms.find((candidate) => candidate.id === dead?.vmId);
    if (row !== undefined && !isTerminal(row.state)) row.nextActionAt = this.now;
  }

  check(epochsBefore: Map<string, number>): void {
    for (const owner of [0, 1]) expect(this.vms.filter((row) => row.owner === owner && !isTerminal(row.state)).length).toBeLessThanOrEqual(1); // I1
    for (const row of this.vms) {
      expect(this.instances.filter((instance) => instance.vmId === row.id && instance.phase !== 'gone').length).toBeLessThanOrEqual(1); // I2
      expect(this.running.filter((process) => process.vmId === row.id).length).toBeLessThanOrEqual(1); // and in truth
      expect(row.epoch).toBeGreaterThanOrEqual(epochsBefore.get(row.id) ?? 0); // I3
      epochsBefore.set(row.id, row.epoch);
      if (!isTerminal(row.state)) expect(row.nextActionAt).not.toBeNull(); // I6, first half
      if (isTerminal(row.state)) expect(this.running.some((process) => process.vmId === row.id)).toBe(false);
      if (takesWork(row.state)) expect(this.instances.some((instance) => instance.epoch === row.epoch)).toBe(true);
    }
    expect(new Set(this.instances.map((instance) => instance.epoch)).size).toBe(this.instances.length);
  }

  /** No faults any more: replicas work, time passes. Returns once `done`, or after `limitMs` of the world's time. */
  settle(limitMs: number, done: () => boolean): boolean {
    this.unreachable = false;
    const until = this.now + limitMs;
    while (!done() && this.now < until) {
      for (let count = 0; count < 12; count += 1) this.turn(count % 2, 'none');
      for (const [index] of this.running.entries()) this.attach(index);
      this.now += 500;
    }
    return done();
  }
}

const owner = fc.integer({ min: 0, max: 1 });
const replica = fc.integer({ min: 0, max: 1 });
const index = fc.nat({ max: 5 });
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ensure' as const), owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('terminate' as const), owner }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('startRun' as const), owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('endRun' as const), owner }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('turn' as const),
      replica,
      fault: fc.constantFrom('none' as const, 'none' as const, 'none' as const, 'effect-fails' as const, 'effect-answer-lost' as const, 'unknown' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crashReplica' as const), replica }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('attach' as const), index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('providerUnreachable' as const), now: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(200, 1_000, 5_000, 31_000, 61_000, 1_900_000) }) },
);

function play(history: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): World {
  const world = new World();
  const epochs = new Map<string, number>();
  for (const event of history) {
    if (event.kind === 'ensure') world.ensure(event.owner);
    else if (event.kind === 'terminate') world.terminate(event.owner);
    else if (event.kind === 'startRun') world.startRun(event.owner);
    else if (event.kind === 'endRun') world.endRun(event.owner);
    else if (event.kind === 'turn') world.turn(event.replica, event.fault);
    else if (event.kind === 'crashReplica') world.pending[event.replica] = undefined;
    else if (event.kind === 'attach') world.attach(event.index);
    else if (event.kind === 'die') world.die(event.index);
    else if (event.kind === 'providerUnreachable') world.unreachable = event.now;
    else world.now += event.ms;
    world.check(epochs);
  }
  return world;
}

const histories = fc.array(step, { minLength: 10, maxLength: 120 });
const RUNS = { numRuns: 400 };

describe('decide, under every interleaving of two replicas with crashes and provider faults', () => {
  it('never has two live VMs of an owner, two incarnations or processes of a VM, or an epoch that goes back; takes listed edges only', () => {
    fc.assert(
      fc.property(histories, (history) => void play(history)),
      RUNS,
    );
  });

  it('ends every VM within two minutes of the wish, once faults stop', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = play(history);
        for (const who of [0, 1]) world.terminate(who);
        expect(world.settle(120_000, () => world.vms.every((row) => isTerminal(row.state)))).toBe(true);
        expect(world.running).toEqual([]);
      }),
      RUNS,
    );
  });

  it('makes a wanted VM ready, once faults stop', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = play(history);
        expect(world.settle(60_000, () => world.liveRow(0)?.desired !== 'terminated')).toBe(true);
        const settled = world.settle(180_000, () => {
          if (world.liveRow(0)?.state !== 'ready') world.ensure(0);
          return world.liveRow(0)?.state === 'ready';
        });
        expect(settled).toBe(true);
      }),
      RUNS,
    );
  });
});
