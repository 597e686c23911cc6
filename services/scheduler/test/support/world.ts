import { admissionPath } from '../../src/domain/admit.js';
import { decide } from '../../src/domain/decide.js';
import { LOCAL_POLICY } from '../../src/domain/policy.js';
import type { Decision, InstanceView, Observation, VmView } from '../../src/domain/vm.js';
import { assertEdge, isTerminal, takesWork, type VmState } from '../../src/domain/vm-state.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export interface Row extends Writable<VmView> {
  owner: number | undefined;
  nextActionAt: number | null;
  rowVersion: number;
  claimedBy: number | undefined;
  claimUntil: number;
}
interface Incarnation extends Writable<InstanceView> {
  vmId: string;
}
interface Run {
  id: number;
  vmId: string;
  handedEpoch: number | undefined;
  lost: number;
  ends: string[];
}
/** What really runs: a process with a journal of what it was handed. */
interface Process {
  vmId: string;
  epoch: number;
  journal: number[];
  hangs: boolean;
}
/** A replica that has committed an intent and has not performed its effect yet: the place where crashes hurt. */
interface Pending {
  vmId: string;
  epoch: number;
  effect: Exclude<Decision['effect'], { kind: 'none' | 'sendDrain' }>;
}

export const FAULTS = ['none', 'effect-fails', 'effect-answer-lost', 'unknown', 'commit-fails'] as const;
export type Fault = (typeof FAULTS)[number];

export const REPLICAS = 3;
export const OWNERS = 3;
const QUOTA = 2;
const CLAIM_MS = 10_000;
const LEASE_MS = LOCAL_POLICY.leaseMs;

/** A promise that does not hold; the message names it. */
class Broken extends Error {}
function holds(invariant: string, condition: boolean, detail: () => unknown = () => ''): void {
  if (!condition) throw new Broken(`${invariant} does not hold: ${JSON.stringify(detail())}`);
}

/** A small world: owners, replicas, one database with one clock, and a provider of which everything that really runs is known. */
export class World {
  now = 1_000_000;
  epoch = 0;
  vms: Row[] = [];
  instances: Incarnation[] = [];
  running: Process[] = [];
  runs: Run[] = [];
  pending: (Pending | undefined)[] = Array.from({ length: REPLICAS }, () => undefined);
  unreachable = false;
  private claimed = new Map<string, number>();
  private epochsSeen = new Map<string, number>();

  liveRow(owner: number): Row | undefined {
    return this.vms.find((row) => row.owner === owner && !isTerminal(row.state));
  }

  ensure(owner: number): void {
    const row = this.liveRow(owner);
    if (row === undefined) {
      if (this.vms.filter((other) => other.poolId === undefined && !isTerminal(other.state)).length >= QUOTA) return;
      const warm = this.vms.find((other) => other.state === 'warm' && other.desired === 'running' && this.isFresh(other));
      if (warm === undefined) this.vms.push(this.newRow(owner, undefined));
      else this.claim(warm, owner);
      return;
    }
    if (row.desired === 'terminated') return;
    const stopped = ['paused', 'pausing', 'draining', 'stopping'].includes(row.state) && row.generation <= row.observedGeneration;
    if (row.desired === 'paused' || stopped) this.write(row, { desired: 'running', generation: row.generation + 1, lastActivityAt: this.now });
  }

  addToPool(): void {
    if (this.vms.filter((row) => row.poolId !== undefined && !isTerminal(row.state)).length < 2) this.vms.push(this.newRow(undefined, 'pool'));
  }

  private newRow(owner: number | undefined, poolId: string | undefined): Row {
    return {
      id: `vm-${this.vms.length + 1}`,
      owner,
      poolId,
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
      drainReason: undefined,
      snapshotsPending: 0,
      nextActionAt: this.now,
      rowVersion: 1,
      claimedBy: undefined,
      claimUntil: 0,
    };
  }

  private claim(row: Row, owner: number): void {
    holds('I11', !this.claimed.has(row.id), () => row);
    this.claimed.set(row.id, owner);
    this.write(row, { owner, poolId: undefined, observedGeneration: row.generation, lastActivityAt: this.now });
    this.move(row, 'ready');
  }

  private isFresh(row: Row): boolean {
    return this.instances.some((instance) => instance.epoch === row.epoch && (instance.leaseUntil ?? 0) > this.now);
  }

  private write(row: Row, change: Partial<Row>): void {
    Object.assign(row, change, { nextActionAt: this.now, rowVersion: row.rowVersion + 1 });
  }

  want(owner: number, wish: 'terminate' | 'pause' | 'resume' | 'drain' | 'undrain'): void {
    const row = this.liveRow(owner);
    if (row === undefined || row.desired === 'terminated') return;
    if (wish === 'terminate') this.write(row, { desired: 'terminated' });
    else if (wish === 'pause') this.write(row, { desired: 'paused', drainReason: undefined });
    else if (wish === 'resume') this.ensure(owner);
    else if (wish === 'undrain') this.write(row, { drainReason: undefined });
    else if (!['requested', 'paused', 'backoff'].includes(row.state)) this.write(row, { drainReason: 'host' });
  }

  startRun(owner: number): void {
    this.ensure(owner);
    const row = this.liveRow(owner);
    if (row === undefined || row.desired !== 'running') return;
    this.runs.push({ id: this.runs.length + 1, vmId: row.id, handedEpoch: undefined, lost: 0, ends: [] });
    this.write(row, { lastActivityAt: this.now });
    this.handOver(row);
  }

  private openRuns(row: Row): Run[] {
    return this.runs.filter((run) => run.vmId === row.id && run.ends.length === 0);
  }

  /** Gives an incarnation the runs that it does not have. Delivery may be repeated: the journal of the process takes each once. */
  private handOver(row: Row): void {
    if (!takesWork(row.state) || row.epoch === 0) return;
    for (const run of this.openRuns(row)) {
      if (run.handedEpoch === row.epoch) continue;
      if (run.handedEpoch !== undefined) run.lost += 1;
      if (run.lost >= 2) run.ends.push('VM_LOST');
      else run.handedEpoch = row.epoch;
    }
  }

  /** Frames on their way to a process, however often they are sent again. */
  private deliver(process: Process): void {
    for (const run of this.runs) {
      if (run.vmId !== process.vmId || run.handedEpoch !== process.epoch || run.ends.length > 0) continue;
      if (!process.journal.includes(run.id)) process.journal.push(run.id);
    }
    holds('I14', new Set(process.journal).size === process.journal.length, () => process);
  }

  /** A process says that its oldest run is over. Whoever is not current any more is not believed. */
  finish(index: number): void {
    const process = this.running[index % Math.max(1, this.running.length)];
    const row = this.vms.find((candidate) => candidate.id === process?.vmId);
    if (process === undefined || row === undefined || process.hangs) return;
    const run = this.runs.find((candidate) => process.journal.includes(candidate.id) && candidate.ends.length === 0);
    const current = row.epoch === process.epoch && run?.handedEpoch === process.epoch;
    if (run === undefined || !current) return;
    run.ends.push(`epoch ${process.epoch}`);
    holds('I4', row.epoch === process.epoch, () => ({ row, process }));
    row.nextActionAt = this.now;
  }

  /** What is read at one moment; deciding and committing may happen later, when somebody else has moved the row. */
  private read(vmId: string): { row: Row; instance: Incarnation | undefined } {
    const row = { ...(this.vms.find((candidate) => candidate.id === vmId) as Row) };
    const open = this.openRuns(row);
    Object.assign(row, { openRuns: open.length, activeRuns: open.filter((run) => run.handedEpoch === row.epoch).length });
    const instance = this.instances.find((candidate) => candidate.vmId === vmId && candidate.phase !== 'gone');
    return { row, instance: instance && { ...instance } };
  }

  /** One turn of a replica: perform what is pending, or claim a due row; then decide and commit. */
  turn(replica: number, fault: Fault): void {
    const pending = this.pending[replica];
    let vmId: string;
    let observed: Observation | undefined;
    if (pending === undefined) {
      const due = this.vms.find(
        (row) => row.nextActionAt !== null && row.nextActionAt <= this.now && (row.claimedBy === undefined || row.claimUntil < this.now),
      );
      if (due === undefined) return;
      Object.assign(due, { claimedBy: replica, claimUntil: this.now + CLAIM_MS });
      vmId = due.id;
    } else {
      this.pending[replica] = undefined;
      vmId = pending.vmId;
      observed = this.perform(pending, fault);
      if (fault === 'effect-answer-lost') return;
    }
    const { row, instance } = this.read(vmId);
    if (row.claimedBy !== replica) return;
    const decision = decide({ vm: row, instance, observed, policy: LOCAL_POLICY, now: this.now, random: 0.5 });
    // A serialisation error: nothing is written, and the claim runs out by itself.
    if (fault === 'commit-fails' || !this.commit(row, instance, decision, replica)) return;
    const { effect } = decision;
    if (effect.kind === 'none' || effect.kind === 'sendDrain') return;
    this.pending[replica] = { vmId, epoch: this.read(vmId).row.epoch, effect };
  }

  private perform({ vmId, epoch, effect }: Pending, fault: Fault): Observation | undefined {
    if (fault === 'unknown' || this.unreachable) return { phase: 'unknown' };
    if (effect.kind === 'create' && fault === 'effect-fails') return { phase: 'exited', failure: 'start', text: 'no room' };
    if (effect.kind === 'create') {
      // The provider asks once more before it starts anything: the claim of a stalled replica may be over.
      const current = this.instances.find((instance) => instance.vmId === vmId && instance.epoch === epoch);
      if (current?.phase === 'creating' && !this.running.some((process) => process.epoch === epoch))
        this.running.push({ vmId, epoch, journal: [], hangs: false });
    }
    if (effect.kind === 'destroy' && fault !== 'effect-fails') this.running = this.running.filter((process) => process.epoch !== epoch);
    return { phase: this.running.some((process) => process.epoch === epoch) ? 'running' : 'absent' };
  }

  /** Compare-and-set on row version, epoch and claim, as the database does it. */
  private commit(read: Row, instance: Incarnation | undefined, decision: Decision, replica: number): boolean {
    const row = this.vms.find((candidate) => candidate.id === read.id) as Row;
    if (row.rowVersion !== read.rowVersion || row.epoch !== read.epoch || row.claimedBy !== replica) return false;
    const { state, deadlineAt, stopTarget, reason, drainReason, excludeHost, pauseDegraded, hostId, ...rest } = decision.patch;
    const changed = Object.keys(decision.patch).length > 0 || decision.instance !== undefined;
    Object.assign(row, rest, { nextActionAt: decision.nextActionAt }, changed ? { rowVersion: row.rowVersion + 1 } : {});
    if (deadlineAt !== undefined) row.deadlineAt = deadlineAt ?? undefined;
    if (stopTarget !== undefined) row.stopTarget = stopTarget ?? undefined;
    if (drainReason !== undefined) row.drainReason = drainReason ?? undefined;
    if (reason !== undefined) row.reason = reason ?? undefined;
    if (state !== undefined) {
      this.checkMove(read, instance, decision);
      this.move(row, state);
    }
    if (decision.instance?.kind === 'create') {
      this.epoch += 1;
      row.epoch = this.epoch;
      this.instances.push({ vmId: row.id, epoch: this.epoch, phase: 'creating', startedAt: this.now, attachedAt: undefined, leaseUntil: undefined });
    } else if (decision.instance !== undefined) {
      const present = this.instances.find((candidate) => candidate.vmId === row.id && candidate.phase !== 'gone') as Incarnation;
      present.phase = decision.instance.phase;
    }
    const rests = decision.effect.kind === 'none' || decision.effect.kind === 'sendDrain';
    if (rests) Object.assign(row, { claimedBy: undefined, claimUntil: 0 });
    if (state === 'failed' || state === 'terminated') for (const run of this.openRuns(row)) run.ends.push(state);
    this.handOver(row);
    return true;
  }

  /** Reasons for which a VM that is well may be stopped. */
  private checkMove(row: Row, instance: Incarnation | undefined, decision: Decision): void {
    if (decision.patch.state === 'pausing' && decision.cause === 'idle') holds('I13', row.openRuns === 0, () => row);
    const isWell = (instance?.leaseUntil ?? 0) > this.now && this.running.some((process) => process.epoch === instance?.epoch);
    if (decision.patch.state !== 'stopping' || !isWell || row.desired !== 'running' || row.poolId !== undefined || this.unreachable) return;
    const allowed = ['IDLE', 'MAX_LIFE', 'DRAINED', 'DRAIN_DEADLINE', 'PAUSED'];
    // A late answer may report an end that its process has had before; there is none beside the one that is looked at.
    holds('I12', allowed.includes(decision.patch.reason?.code ?? ''), () => ({ row, decision }));
  }

  private move(row: Row, to: VmState): void {
    assertEdge(row.state, to); // I8
    Object.assign(row, { state: to, stateSince: this.now });
  }

  /** The runtime connects, as a gateway would report it; frames that wait for it are sent. */
  attach(index: number): void {
    const process = this.running[index % Math.max(1, this.running.length)];
    const row = this.vms.find((candidate) => candidate.id === process?.vmId);
    const instance = this.instances.find((candidate) => candidate.epoch === process?.epoch);
    if (process === undefined || row === undefined || instance === undefined || row.epoch !== process.epoch || process.hangs) return;
    const path = ['creating', 'running'].includes(instance.phase) ? admissionPath(row.state, row.poolId !== undefined) : undefined;
    if (path === undefined) return;
    for (const state of path) this.move(row, state);
    Object.assign(instance, { phase: 'running', attachedAt: instance.attachedAt ?? this.now, leaseUntil: this.now + LEASE_MS });
    if (path.length > 0) this.write(row, { observedGeneration: row.generation, attempt: 0, deadlineAt: undefined });
    this.handOver(row);
    this.deliver(process);
  }

  /** A runtime dies; the provider's watch may wake its VM, or be lost. */
  die(index: number, watched: boolean): void {
    const [dead] = this.running.splice(index % Math.max(1, this.running.length), 1);
    const row = this.vms.find((candidate) => candidate.id === dead?.vmId);
    if (watched && row !== undefined && !isTerminal(row.state)) row.nextActionAt = this.now;
  }

  hang(index: number): void {
    const process = this.running[index % Math.max(1, this.running.length)];
    if (process !== undefined) process.hangs = true;
  }

  check(): void {
    for (let owner = 0; owner < OWNERS; owner += 1)
      holds('I1', this.vms.filter((row) => row.owner === owner && !isTerminal(row.state)).length <= 1, () => this.vms);
    holds('I9', this.vms.filter((row) => row.poolId === undefined && !isTerminal(row.state)).length <= QUOTA, () => this.vms);
    for (const row of this.vms) {
      holds('I2', this.instances.filter((instance) => instance.vmId === row.id && instance.phase !== 'gone').length <= 1, () => this.instances);
      holds('I2', this.running.filter((process) => process.vmId === row.id).length <= 1, () => this.running);
      holds('I3', row.epoch >= (this.epochsSeen.get(row.id) ?? 0), () => row);
      this.epochsSeen.set(row.id, row.epoch);
      if (isTerminal(row.state)) holds('I5', !this.running.some((process) => process.vmId === row.id), () => this.running);
      else holds('I6', row.nextActionAt !== null, () => row);
      const bound = this.claimed.get(row.id);
      if (bound !== undefined) holds('I11', row.owner === bound && row.poolId === undefined, () => row);
    }
    for (const process of this.running)
      holds(
        'I5',
        this.instances.some((instance) => instance.epoch === process.epoch && instance.phase !== 'gone'),
        () => process,
      );
    for (const run of this.runs) holds('I15', run.ends.length <= 1, () => run);
    holds('I3', new Set(this.instances.map((instance) => instance.epoch)).size === this.instances.length);
  }

  /** No faults any more: replicas work, runtimes beat, time passes. True once `done`, false after `limitMs` of the world's time. */
  settle(limitMs: number, done: () => boolean): boolean {
    this.unreachable = false;
    for (const process of this.running) process.hangs = false;
    const until = this.now + limitMs;
    while (!done() && this.now < until) {
      for (let count = 0; count < 18; count += 1) this.turn(count % REPLICAS, 'none');
      for (const [index] of this.running.entries()) this.attach(index);
      this.check();
      this.now += 500;
    }
    return done();
  }
}
