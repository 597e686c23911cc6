import { setTimeout as sleep } from 'node:timers/promises';
import { ChaosMesh } from '../mesh/chaos-mesh.js';
import { Random } from '../random.js';
import { Histogram } from './histogram.js';
import { LoadClients } from './load-clients.js';
import { LOAD_KINDS, type LoadKind, planArrivals } from './mix.js';
import { type Handshakes, measureHandshakes } from './handshakes.js';
import { family, machineBusySeconds, type Usage, usageOf } from './proc-usage.js';
import { readTraffic, type Traffic, trafficBetween } from './traffic.js';

/** What is measured: acknowledgements of each kind, and two effects: the agent's whole answer, and the event in the inbox on the socket. */
export const MEASURES = [...LOAD_KINDS, 'chat answered', 'event in inbox'] as const;
export type Measure = (typeof MEASURES)[number];

export interface LoadOptions {
  readonly seed: number;
  readonly users: number;
  readonly replicas: number;
  readonly natsNodes: number;
  /** Operations per second of each step. */
  readonly rates: readonly number[];
  readonly stepMs: number;
  /** An operation that is not done by then counts as failed. */
  readonly giveUpMs: number;
  readonly dir: string;
  readonly root: string;
  readonly note: (line: string) => void;
}

export interface GroupUsage {
  /** Cores in use, on average over the step. */
  readonly cores: number;
  readonly residentBytes: number;
  readonly processes: number;
}

export interface StepResult {
  readonly offeredPerSecond: number;
  /** Acknowledged per second, from the begin of the step until its last acknowledgement. */
  readonly achievedPerSecond: number;
  readonly failed: number;
  readonly latencies: Readonly<Record<Measure, Histogram>>;
  readonly usage: Readonly<Record<string, GroupUsage>>;
  /** Cores that other programs of this machine used meanwhile. */
  readonly otherCores: number;
  /** What streams and Postgres took, per operation. */
  readonly perOperation: Traffic;
  readonly saturated: boolean;
}

export interface LoadResult {
  readonly options: Omit<LoadOptions, 'dir' | 'root' | 'note'>;
  readonly startedAt: string;
  readonly loadAverage: readonly number[];
  readonly steps: readonly StepResult[];
  readonly handshakes: Handshakes;
  /** The highest rate that was kept up with; undefined when none was. */
  readonly sustainedPerSecond: number | undefined;
}

/** Beyond it nobody would call the mesh usable, whatever the throughput. */
const SATURATED_P99_MS = 2_000;
const SATURATED_SHARE = 0.95;
const EFFECT_TIMEOUT_MS = 30_000;

/** Starts a mesh and offers more and more until it does not keep up. */
export async function runLoad(options: LoadOptions, loadAverage: () => readonly number[]): Promise<LoadResult> {
  const { dir, root, note, users, replicas, natsNodes, seed, rates, stepMs, giveUpMs } = options;
  const startedAt = new Date().toISOString();
  const mesh = await ChaosMesh.start({ dir, root, tenants: ['load'], replicas, natsNodes, slow: 2, logLevel: 'warn', note: (line) => note(`  ${line}`) });
  const watch = new Effects();
  let clients: LoadClients | undefined;
  try {
    clients = await LoadClients.connect(mesh, users, (what, id) => watch.seen(what, id), note);
    const steps: StepResult[] = [];
    await measureStep({ mesh, clients, watch, random: new Random(`${seed}/warm`), rate: rates[0] ?? 5, stepMs: Math.min(stepMs, 5_000), users, giveUpMs }); // warms up
    for (const rate of rates) {
      const step = await measureStep({ mesh, clients, watch, random: new Random(`${seed}/${rate}`), rate, stepMs, users, giveUpMs });
      steps.push(step);
      note(describeStep(step));
      if (step.saturated) break;
    }
    const handshakes = await measureHandshakes(mesh, () => groupUsage(mesh).gateway?.cpuSeconds ?? 0);
    note(`${handshakes.perSecond.toFixed(0)} handshakes per second, ${handshakes.gatewayCpuMs.toFixed(2)} ms of a gateway's CPU each`);
    const kept = steps.filter(({ saturated }) => !saturated).map(({ offeredPerSecond }) => offeredPerSecond);
    const { dir: _dir, root: _root, note: _note, ...rest } = options;
    return { options: rest, startedAt, loadAverage: loadAverage(), steps, handshakes, sustainedPerSecond: kept.length === 0 ? undefined : Math.max(...kept) };
  } finally {
    await clients?.close();
    await mesh.stop();
  }
}

interface StepInput {
  readonly mesh: ChaosMesh;
  readonly clients: LoadClients;
  readonly watch: Effects;
  readonly random: Random;
  readonly rate: number;
  readonly stepMs: number;
  readonly users: number;
  readonly giveUpMs: number;
}

async function measureStep({ mesh, clients, watch, random, rate, stepMs, users, giveUpMs }: StepInput): Promise<StepResult> {
  const latencies = Object.fromEntries(MEASURES.map((measure) => [measure, new Histogram()])) as Record<Measure, Histogram>;
  const arrivals = planArrivals(random, rate, stepMs, users);
  const trafficBefore = await readTraffic(mesh);
  const [before, busyBefore] = [groupUsage(mesh), machineBusySeconds()];
  const began = performance.now();
  let failed = 0;
  let lastDone = began;
  const open: Promise<void>[] = [];
  for (const { atMs, kind, user } of arrivals) {
    const waitMs = began + atMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    open.push(one(kind, user, began + atMs));
  }
  await Promise.all(open);
  const seconds = (performance.now() - began) / 1_000;
  const after = groupUsage(mesh);
  const usage = Object.fromEntries(Object.entries(after).map(([name, one]) => [name, difference(before[name], one, seconds)]));
  const ours = Object.values(usage).reduce((sum, { cores }) => sum + cores, 0);
  const otherCores = Math.max(0, (machineBusySeconds() - busyBefore) / seconds - ours);
  await watch.settle(EFFECT_TIMEOUT_MS);
  const effectsLost = watch.take(latencies);
  const perOperation = trafficBetween(trafficBefore, await readTraffic(mesh), arrivals.length - failed);
  const achievedPerSecond = (arrivals.length - failed) / ((lastDone - began) / 1_000);
  const worst = Math.max(...LOAD_KINDS.map((kind) => latencies[kind].percentile(0.99)), latencies['event in inbox'].percentile(0.99));
  return {
    offeredPerSecond: rate,
    achievedPerSecond,
    failed: failed + effectsLost,
    latencies,
    usage,
    otherCores,
    perOperation,
    saturated:
      achievedPerSecond < SATURATED_SHARE * (arrivals.length / (stepMs / 1_000)) || worst > SATURATED_P99_MS || failed + effectsLost > arrivals.length / 100,
  };

  /** Latency counts from when it was due, not from when we got round to it: else a slow mesh would slow its own measurement. */
  async function one(kind: LoadKind, user: number, dueAt: number): Promise<void> {
    const { id, done } = clients.begin(kind, user);
    if (kind === 'chat') watch.expect('answer', id, dueAt);
    if (kind === 'event') watch.expect('inbox', id, dueAt);
    const timer = new AbortController();
    try {
      await Promise.race([
        done,
        sleep(giveUpMs, undefined, { signal: timer.signal }).then(() => {
          throw new Error('not done in time');
        }),
      ]);
      lastDone = performance.now();
      latencies[kind].record(lastDone - dueAt);
    } catch {
      failed += 1;
      watch.forget(id);
    } finally {
      timer.abort();
    }
  }
}

/** What operations lead to, seen on sockets. */
class Effects {
  private readonly due = new Map<string, { what: 'answer' | 'inbox'; dueAt: number }>();
  private done: { what: 'answer' | 'inbox'; ms: number }[] = [];

  expect(what: 'answer' | 'inbox', id: string, dueAt: number): void {
    this.due.set(id, { what, dueAt });
  }

  seen(_what: 'answer' | 'inbox', id: string): void {
    const expected = this.due.get(id);
    if (expected === undefined) return;
    this.due.delete(id);
    this.done.push({ what: expected.what, ms: performance.now() - expected.dueAt });
  }

  forget(id: string): void {
    this.due.delete(id);
  }

  async settle(timeoutMs: number): Promise<void> {
    const giveUpAt = performance.now() + timeoutMs;
    while (this.due.size > 0 && performance.now() < giveUpAt) await sleep(50);
  }

  /** Moves what was seen into the histograms; returns how many were never seen. */
  take(latencies: Record<Measure, Histogram>): number {
    for (const { what, ms } of this.done) latencies[what === 'answer' ? 'chat answered' : 'event in inbox'].record(ms);
    this.done = [];
    const lost = this.due.size;
    this.due.clear();
    return lost;
  }
}

type Groups = Record<string, Usage & { readonly processes: number }>;

function groupUsage(mesh: ChaosMesh): Groups {
  const groups: Record<string, number[]> = {};
  for (const { service, pid } of mesh.replicas) if (pid !== undefined) groups[service] = [...(groups[service] ?? []), pid];
  groups['VM runtimes'] = mesh.runtimes.map(({ pid }) => pid);
  groups['nats-server'] = mesh.nats.pids.flatMap((pid) => pid ?? []);
  groups.postgres = family(mesh.postgres.pid);
  groups['load generator'] = [process.pid];
  return Object.fromEntries(Object.entries(groups).map(([name, pids]) => [name, { ...usageOf(pids), processes: pids.length }]));
}

function difference(before: Usage | undefined, after: Groups[string], seconds: number): GroupUsage {
  const cores = Math.max(0, after.cpuSeconds - (before?.cpuSeconds ?? 0)) / seconds;
  return { cores, residentBytes: after.residentBytes, processes: after.processes };
}

export function describeStep({ offeredPerSecond, achievedPerSecond, latencies, failed, saturated, usage }: StepResult): string {
  const p = (measure: Measure): string => `${measure} ${latencies[measure].percentile(0.5).toFixed(0)}/${latencies[measure].percentile(0.99).toFixed(0)} ms`;
  const cores = Object.values(usage).reduce((sum, one) => sum + one.cores, 0);
  return `${offeredPerSecond}/s offered, ${achievedPerSecond.toFixed(1)}/s done, ${failed} failed, ${cores.toFixed(2)} cores; p50/p99: ${(['chat', 'event', 'chat answered', 'event in inbox'] as const).map(p).join(', ')}${saturated ? '; saturated' : ''}`;
}
