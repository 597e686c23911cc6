import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, type Bus } from '@plexus/bus';
import { OPERATOR_ROLE } from '@plexus/local-stack';
import { check } from './checker/check.js';
import { type Disturbance, type Recovery, recoveries } from './checker/recovery.js';
import type { Violation } from './checker/violation.js';
import { IntegratorClient } from './clients/integrator-client.js';
import { Person } from './clients/person.js';
import { Recorder } from './clients/recorder.js';
import { injectFault } from './faults/inject.js';
import { describeFault, type FaultKind, type PlannedFault, planFaults } from './faults/schedule.js';
import type { Following, History } from './history.js';
import { ChaosMesh } from './mesh/chaos-mesh.js';
import { mintToken } from './mesh/tokens.js';
import { collect, comeToRest } from './observe/collect.js';
import { Random } from './random.js';

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly slow: number;
  readonly tenants: number;
  readonly usersPerTenant: number;
  readonly replicas: number;
  readonly natsNodes: number;
  /** Load of each client; 1 is the usual pace. */
  readonly pace: number;
  readonly faultEveryMs: number;
  readonly kinds?: readonly FaultKind[];
  /** Folder for state and logs; everything in it is the run's own. */
  readonly dir: string;
  /** Checkout whose build is run, and the one that a rolling upgrade goes to. */
  readonly root: string;
  readonly upgradeRoot?: string;
  readonly note: (line: string) => void;
}

export interface ChaosResult {
  readonly options: Omit<ChaosOptions, 'note' | 'dir' | 'root' | 'upgradeRoot'>;
  readonly startedAt: string;
  readonly loadMs: number;
  readonly restMs: number;
  readonly memoryReplicas: number;
  readonly planned: readonly PlannedFault[];
  readonly disturbances: readonly Disturbance[];
  readonly recoveries: readonly Recovery[];
  readonly violations: readonly Violation[];
  readonly restarts: Readonly<Record<string, number>>;
  readonly history: History;
}

const SETTLE_TIMEOUT_MS = 120_000;
const REST_TIMEOUT_MS = 180_000;
const CASES = ['case-1', 'case-2', 'case-3'];

/** Starts a mesh, loads it, breaks it as planned, lets it come to rest, and checks everything that clients were promised. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, slow, note, dir, root, replicas, natsNodes } = options;
  const tenants = Array.from({ length: options.tenants }, (_, at) => `t${at + 1}`);
  const startedAt = new Date().toISOString();
  const mesh = await ChaosMesh.start({ dir, root, tenants, replicas, natsNodes, slow, note: (line) => note(`  ${line}`) });
  let bus: Bus | undefined;
  try {
    const planned = planFor(options, mesh);
    note(`seed ${seed}: ${planned.length} faults`);
    for (const fault of planned) note(`  ${describeFault(fault)}`);
    bus = await connectBus({
      service: 'launcher',
      servers: mesh.natsUrl,
      credentials: { nkeySeed: readFileSync(mesh.state.paths.nkeySeed(OPERATOR_ROLE), 'utf8').trim() },
    });
    const run = new Run(options, mesh, bus, tenants, planned);
    return { ...(await run.go()), startedAt, options: publicOptions(options) };
  } finally {
    await bus?.close();
    await mesh.stop();
  }
}

function publicOptions({ note: _note, dir: _dir, root: _root, upgradeRoot: _upgrade, ...rest }: ChaosOptions): ChaosResult['options'] {
  return rest;
}

function planFor({ seed, durationMs, natsNodes, slow, faultEveryMs, kinds }: ChaosOptions, mesh: ChaosMesh): PlannedFault[] {
  return planFaults({
    random: new Random(`${seed}/faults`),
    durationMs,
    replicas: mesh.replicas.map(({ name }) => name),
    databaseReplicas: mesh.replicas.filter(({ databaseLane }) => databaseLane !== undefined).map(({ name }) => name),
    natsNodes,
    slow,
    everyMs: faultEveryMs,
    ...(kinds && { kinds }),
  });
}

class Run {
  private readonly recorder = new Recorder();
  private readonly people: Person[] = [];
  private readonly integrators: IntegratorClient[] = [];
  private readonly following: Following[] = [];
  private readonly disturbances: Disturbance[] = [];
  private readonly problems: string[] = [];

  constructor(
    private readonly options: ChaosOptions,
    private readonly mesh: ChaosMesh,
    private readonly bus: Bus,
    private readonly tenants: readonly string[],
    private readonly planned: readonly PlannedFault[],
  ) {}

  async go(): Promise<Omit<ChaosResult, 'startedAt' | 'options'>> {
    const { note, durationMs, slow } = this.options;
    try {
      await this.connect();
      const beganAt = this.recorder.now();
      await this.loadAndBreak(beganAt);
      const loadMs = this.recorder.now() - beganAt;
      note(`load is over after ${(loadMs / 1_000).toFixed(0)} s (planned ${durationMs / 1_000} s); waiting for rest`);
      await this.mesh.whole(REST_TIMEOUT_MS * slow);
      const restFrom = this.recorder.now();
      const observation = { mesh: this.mesh, bus: this.bus, people: this.people, note };
      const left = await comeToRest(observation, REST_TIMEOUT_MS * slow);
      const restMs = this.recorder.now() - restFrom;
      note(left.length === 0 ? `at rest after ${(restMs / 1_000).toFixed(1)} s` : `not at rest: ${left.slice(0, 10).join('; ')}`);
      const final = await collect(observation, [...left, ...this.problems]);
      const { operations, ends, leaks } = this.recorder;
      const history: History = {
        operations,
        ends,
        leaks,
        following: this.following,
        views: this.people.flatMap(({ devices }) => devices.map((device) => device.view())),
        final,
      };
      return {
        loadMs,
        restMs,
        memoryReplicas: this.mesh.memoryReplicas,
        planned: this.planned,
        disturbances: this.disturbances,
        recoveries: recoveries(this.disturbances, operations),
        violations: check(history),
        restarts: Object.fromEntries(this.mesh.replicas.map(({ name, restarts }) => [name, restarts])),
        history,
      };
    } finally {
      for (const person of this.people) person.close();
      await Promise.all(this.integrators.map((integrator) => integrator.close()));
    }
  }

  private async connect(): Promise<void> {
    const { seed, usersPerTenant, pace, slow, note } = this.options;
    const random = new Random(seed);
    const keyFile = path.join(this.mesh.state.paths.signingKey);
    for (const tenant of this.tenants) {
      for (let at = 1; at <= usersPerTenant; at += 1) {
        const user = `u${at}`;
        // One case that everybody follows, one of one's own.
        const cases = [CASES[0] as string, CASES[1 + (at % (CASES.length - 1))] as string];
        for (const caseId of cases) this.following.push({ tenant, user, caseId });
        const token = mintToken(keyFile, tenant, user, ['operator.admin', 'operator.read', 'operator.write']);
        const { clientUrl: ws, httpUrl: http } = this.mesh;
        this.people.push(new Person({ ws, http, token, tenant, user, cases, recorder: this.recorder, random: random.fork(`${tenant}/${user}`), pace }));
      }
    }
    for (const person of this.people) await person.settle(SETTLE_TIMEOUT_MS * slow);
    for (const identity of this.mesh.integrators) {
      this.integrators.push(
        await IntegratorClient.connect({
          identity,
          servers: this.mesh.natsUrl,
          cases: CASES,
          recorder: this.recorder,
          random: random.fork(`integrator/${identity.tenant}`),
          pace,
        }),
      );
    }
    note(`${this.people.length} people with two devices each and ${this.integrators.length} integrators are connected`);
  }

  private async loadAndBreak(beganAt: number): Promise<void> {
    const stop = new AbortController();
    const work = Promise.all([...this.people, ...this.integrators].map((client) => client.work(stop.signal)));
    const progress = setInterval(() => this.options.note(this.progressLine(beganAt)), 10_000);
    try {
      const faults = Promise.all(this.planned.map((fault, index) => this.fault(fault, index, beganAt)));
      await sleep(this.options.durationMs);
      await faults;
    } finally {
      stop.abort();
      await work;
      clearInterval(progress);
    }
  }

  private async fault(fault: PlannedFault, index: number, beganAt: number): Promise<void> {
    const { upgradeRoot, seed, note } = this.options;
    await sleep(Math.max(0, beganAt + fault.atMs - this.recorder.now()));
    const from = this.recorder.now();
    note(`fault ${fault.kind} ${fault.target}`);
    const tools = { mesh: this.mesh, bus: this.bus, random: new Random(`${seed}/fault/${index}`), upgradeRoot };
    await injectFault(fault, tools).catch((error: unknown) => this.problems.push(`fault ${fault.kind} of ${fault.target}: ${String(error)}`));
    this.disturbances.push({ kind: fault.kind, target: fault.target, from, to: this.recorder.now() });
  }

  private progressLine(beganAt: number): string {
    const { operations } = this.recorder;
    const count = (outcome: string): number => operations.filter((one) => one.outcome === outcome && one.endedAt !== Number.POSITIVE_INFINITY).length;
    const open = operations.filter(({ endedAt }) => endedAt === Number.POSITIVE_INFINITY).length;
    const at = ((this.recorder.now() - beganAt) / 1_000).toFixed(0);
    return `${at} s: ${count('ok')} acknowledged, ${count('maybe')} unknown, ${count('refused')} refused, ${open} open`;
  }
}
