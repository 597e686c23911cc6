import type { Duplex } from 'node:stream';
import {
  type Bootstrap,
  type DestroyOptions,
  type IncarnationKey,
  type InstanceSpec,
  type ListedInstance,
  type ListedWorkspace,
  type ProviderCapabilities,
  ProviderError,
  type ProviderObservation,
  type VmProvider,
} from '../../application/provider-port.js';
import { boundedName } from '../bounded-name.js';
import { logTail } from '../log-tail.js';
import { demultiplex } from './container-log.js';
import { type ContainerDefaults, containerSpec, LABELS } from './container-spec.js';
import type { DockerEngine, EngineAnswer } from './docker-engine.js';
import { type ContainerWatch, watchContainers } from './watch-containers.js';

export interface DockerProviderOptions {
  readonly engine: DockerEngine;
  /** Id that the engine gives itself: replicas that reach the same engine act on the same containers. */
  readonly engineId: string;
  readonly defaults: ContainerDefaults;
  readonly log: { warn(fields: object, message: string): void };
}

interface Container {
  readonly Id: string;
  readonly Created: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly OOMKilled: boolean; readonly FinishedAt: string };
}

interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  /** Seconds. */
  readonly Created: number;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

const STOP_GRACE_MS = 5_000;
const TAIL_BYTES = 4_096;
/** A container that was created and not started for longer was left behind: its creator had at most a claim, 10 s. */
const STALE_CREATE_MS = 15_000;
/** Longest wait for the engine to pass the secrets on. */
const HAND_OVER_MS = 2_000;
const ENDED = new Set(['exited', 'dead']);

/** VMs as containers of one Docker engine. One container per VM, whose name excludes a second; a container's id is its identity. */
export class DockerProvider implements VmProvider {
  readonly name = 'docker';
  readonly kind = 'docker';
  readonly hostId: string;
  readonly capabilities: ProviderCapabilities = {
    isolation: 'container',
    pause: 'stop-keep-workspace',
    survivesSchedulerRestart: true,
    confirmsExit: true,
    watch: true,
    logs: true,
    networkPolicy: false,
    resourceLimits: true,
    images: true,
  };
  readonly deadlines = { provisionMs: 60_000, bootMs: 60_000, stopMs: 30_000 };
  private readonly engine: DockerEngine;
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly cluster: string;
  private watching: ContainerWatch | undefined;

  constructor(private readonly options: DockerProviderOptions) {
    this.engine = options.engine;
    this.cluster = options.defaults.cluster;
    this.hostId = `docker-${options.engineId}`;
  }

  /** One create of a VM at a time in this process; among processes the name decides. */
  create(spec: InstanceSpec): Promise<ProviderObservation> {
    const before = this.turns.get(spec.vmId) ?? Promise.resolve();
    const mine = before.then(() => this.start(spec));
    const settled: Promise<unknown> = mine
      .catch(() => undefined) // the caller has it; the next in turn only waits
      .then(() => {
        if (this.turns.get(spec.vmId) === settled) this.turns.delete(spec.vmId);
      });
    this.turns.set(spec.vmId, settled);
    return mine;
  }

  private async start(spec: InstanceSpec): Promise<ProviderObservation> {
    const name = this.nameOf(spec.vmId);
    const body = containerSpec(spec, this.options.defaults, name);
    const blocking = await this.makeRoom(spec);
    if (blocking !== undefined) return blocking;
    await this.engine.call('/volumes/create', {
      method: 'POST',
      body: { Name: name, Labels: { [LABELS.cluster]: this.cluster, [LABELS.vm]: spec.vmId } },
    });
    const created = await this.engine.call('/containers/create', { method: 'POST', query: { name }, body, accept: [404, 409] });
    if (created.status === 409) return { phase: 'unknown', text: 'somebody else is starting it' };
    if (created.status === 404) throw new ProviderError('INVALID_SPEC', `the image is not on the Docker engine, pull it there: ${messageOf(created)}`);
    const { Id: id } = created.json<{ Id: string }>();
    try {
      const bootstrap = await spec.bootstrap();
      if (bootstrap === undefined) {
        await this.remove(id);
        return { phase: 'unknown', text: 'somebody else is starting it' };
      }
      await this.startWithSecrets(id, bootstrap);
    } catch (error) {
      await this.remove(id).catch((failure: unknown) =>
        this.options.log.warn({ vmId: spec.vmId, err: failure }, 'a container that could not be started was left behind'),
      );
      throw error;
    }
    return this.observe(spec);
  }

  /** What stands in the way of a new container: undefined when nothing (any more). */
  private async makeRoom(spec: InstanceSpec): Promise<ProviderObservation | undefined> {
    const found = await this.inspect(spec.vmId);
    if (found === undefined) return undefined;
    const { container, now } = found;
    const epoch = epochOf(container);
    if (epoch > spec.epoch) return { phase: 'unknown', text: 'a newer incarnation is on record' };
    if (container.State.Status === 'created') {
      if (now - Date.parse(container.Created) < STALE_CREATE_MS) return { phase: 'unknown', text: 'somebody else is starting it' };
    } else if (!ENDED.has(container.State.Status)) {
      if (epoch === spec.epoch) return this.described(container, now);
      return { phase: 'unknown', text: `its predecessor, epoch ${epoch}, is still there` };
    }
    // Not by force: if its creator was only slow, it runs by now, and that is its instance.
    const removed = await this.engine.call(`/containers/${container.Id}`, { method: 'DELETE', accept: [404, 409] });
    return removed.status === 409 ? { phase: 'unknown', text: `it could not be replaced: ${messageOf(removed)}` } : undefined;
  }

  /** Attached before it starts: what it says and what it is told cannot be missed. */
  private async startWithSecrets(id: string, bootstrap: Bootstrap): Promise<void> {
    const stdin = await this.engine.hijack(`/containers/${id}/attach`, { stream: true, stdin: true });
    try {
      await this.engine.call(`/containers/${id}/start`, { method: 'POST' });
      await tell(stdin, `${JSON.stringify(bootstrap)}\n`);
    } finally {
      stdin.destroy();
    }
  }

  async observe(key: IncarnationKey): Promise<ProviderObservation> {
    const found = await this.inspect(key.vmId);
    if (found === undefined || epochOf(found.container) !== key.epoch) return { phase: 'absent' };
    return this.described(found.container, found.now);
  }

  private async described(container: Container, now: number): Promise<ProviderObservation> {
    const { Status, ExitCode, OOMKilled } = container.State;
    const ref = { id: container.Id };
    if (ENDED.has(Status)) {
      const text = await this.tail(container.Id, TAIL_BYTES);
      return { phase: 'exited', exitCode: ExitCode, ...(OOMKilled && { reasonCode: 'OOM' }), ...(text !== undefined && { text }) };
    }
    if (Status === 'removing') return { phase: 'unknown', ref, text: 'the engine is removing it' };
    if (Status !== 'created') return { phase: 'running', ref };
    return now - Date.parse(container.Created) < STALE_CREATE_MS ? { phase: 'starting', ref } : { phase: 'absent' };
  }

  async destroy(key: IncarnationKey, options: DestroyOptions): Promise<ProviderObservation> {
    const found = await this.inspect(key.vmId);
    if (found === undefined || epochOf(found.container) !== key.epoch) return { phase: 'absent' };
    const { Id: id, State } = found.container;
    if (options.ref !== undefined && options.ref.id !== id) {
      throw new ProviderError('IDENTITY_MISMATCH', `${key.vmId}/${key.epoch} is container ${id.slice(0, 12)}, not the one that was named; nothing was touched`);
    }
    if (State.Status === 'created') {
      await this.remove(id);
      return { phase: 'absent' };
    }
    if (!ENDED.has(State.Status)) await this.end(id, options);
    // It stays, ended, until its VM starts again or is removed: its log is in it.
    const observed = await this.observe(key);
    return observed.phase === 'running' ? { phase: 'unknown', text: 'it survived SIGKILL' } : observed;
  }

  /** By id: whatever has taken the name meanwhile is safe. 404 and 409 mean that it has ended by itself. */
  private async end(id: string, { force, graceMs = STOP_GRACE_MS }: DestroyOptions): Promise<void> {
    const accept = [404, 409];
    if (!force) {
      const t = Math.ceil(graceMs / 1_000);
      await this.engine.call(`/containers/${id}/stop`, { method: 'POST', query: { t }, accept, timeoutMs: t * 1_000 + 8_000 });
      return;
    }
    await this.engine.call(`/containers/${id}/kill`, { method: 'POST', query: { signal: 'SIGKILL' }, accept });
    await this.engine.call(`/containers/${id}/wait`, { method: 'POST', query: { condition: 'not-running' }, accept });
  }

  async list(): Promise<readonly ListedInstance[]> {
    const { containers, now } = await this.containers();
    return containers
      .filter(({ State }) => !ENDED.has(State))
      .map(({ Id, Names, Created, Labels }) => ({
        vmId: Labels[LABELS.vm] ?? '',
        epoch: Number(Labels[LABELS.epoch]),
        name: (Names[0] ?? Id).replace(/^\//, ''),
        ageMs: Math.max(0, now - Created * 1_000),
        ref: { id: Id },
      }));
  }

  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void {
    this.watching?.stop();
    this.watching = undefined;
    if (keys.length === 0) return;
    const byVm = new Map(keys.map((key) => [key.vmId, key]));
    const onEvent = (vmId: string): void => {
      const key = byVm.get(vmId);
      if (key !== undefined) onChange(key);
    };
    const onPoll = async (): Promise<void> => {
      const running = new Set((await this.list()).map(({ vmId, epoch }) => `${vmId}/${epoch}`));
      for (const key of keys) if (!running.has(`${key.vmId}/${key.epoch}`)) onChange(key);
    };
    const { engine, log } = this.options;
    this.watching = watchContainers({ engine, cluster: this.cluster, onEvent, onPoll, log });
  }

  async logs(vmId: string, { tailBytes }: { readonly tailBytes: number }): Promise<string | undefined> {
    const found = await this.inspect(vmId);
    return found && this.tail(found.container.Id, tailBytes);
  }

  private async tail(id: string, bytes: number): Promise<string | undefined> {
    const answer = await this.engine.call(`/containers/${id}/logs`, { query: { stdout: true, stderr: true, tail: 2_000 }, accept: [404, 409] });
    return answer.status === 200 ? logTail(demultiplex(answer.body), bytes) : undefined;
  }

  async workspaces(): Promise<readonly ListedWorkspace[]> {
    const answer = await this.engine.call('/volumes', { query: { filters: JSON.stringify({ label: [`${LABELS.cluster}=${this.cluster}`] }) } });
    const { Volumes } = answer.json<{ Volumes: { CreatedAt?: string; Labels: Record<string, string> }[] | null }>();
    const listed: ListedWorkspace[] = [];
    for (const { CreatedAt, Labels } of Volumes ?? []) {
      const vmId = Labels[LABELS.vm];
      if (vmId === undefined) continue;
      const container = (await this.inspect(vmId))?.container;
      const since = container === undefined ? CreatedAt : ENDED.has(container.State.Status) ? container.State.FinishedAt : undefined;
      listed.push({ vmId, idleMs: since === undefined ? 0 : Math.max(0, answer.now - Date.parse(since)) });
    }
    return listed;
  }

  async removeWorkspace(vmId: string): Promise<void> {
    const found = await this.inspect(vmId);
    if (found !== undefined) {
      if (!ENDED.has(found.container.State.Status)) throw new ProviderError('IDENTITY_MISMATCH', `${vmId} still runs: its workspace was not removed`);
      await this.engine.call(`/containers/${found.container.Id}`, { method: 'DELETE', accept: [404] });
    }
    const removed = await this.engine.call(`/volumes/${this.nameOf(vmId)}`, { method: 'DELETE', accept: [404, 409] });
    if (removed.status === 409) throw new ProviderError('IDENTITY_MISMATCH', `the workspace of ${vmId} is in use: ${messageOf(removed)}`);
  }

  async highestEpoch(): Promise<number> {
    const { containers } = await this.containers();
    return Math.max(0, ...containers.map(({ Labels }) => Number(Labels[LABELS.epoch]) || 0));
  }

  async close(): Promise<void> {
    this.watch([], () => {});
    this.engine.close();
  }

  private async containers(): Promise<{ readonly containers: readonly ListedContainer[]; readonly now: number }> {
    const filters = JSON.stringify({ label: [`${LABELS.cluster}=${this.cluster}`] });
    const answer = await this.engine.call('/containers/json', { query: { all: true, filters } });
    return { containers: answer.json<ListedContainer[]>(), now: answer.now };
  }

  /** The container of a VM, if it is ours. */
  private async inspect(vmId: string): Promise<{ readonly container: Container; readonly now: number } | undefined> {
    const name = this.nameOf(vmId);
    const answer = await this.engine.call(`/containers/${name}/json`, { accept: [404] });
    if (answer.status === 404) return undefined;
    const container = answer.json<Container>();
    const { Labels } = container.Config;
    if (Labels[LABELS.cluster] !== this.cluster || Labels[LABELS.vm] !== vmId) {
      throw new ProviderError('IDENTITY_MISMATCH', `a container named ${name} exists that is not of this cluster`);
    }
    return { container, now: answer.now };
  }

  /** Whatever state it is in. */
  private async remove(id: string): Promise<void> {
    await this.engine.call(`/containers/${id}`, { method: 'DELETE', query: { force: true, v: false }, accept: [404] });
  }

  private nameOf(vmId: string): string {
    return boundedName(this.cluster, vmId);
  }
}

/** Writes the line and closes stdin. The engine closes the connection when it has passed both on. */
async function tell(stdin: Duplex, line: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, HAND_OVER_MS);
    // A runtime that dies while it is being told has an exit that says why; the broken connection adds nothing.
    stdin.on('error', () => resolve());
    stdin.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    stdin.resume();
    stdin.end(line);
  });
}

function epochOf({ Config }: Container): number {
  return Number(Config.Labels[LABELS.epoch]);
}

function messageOf(answer: EngineAnswer): string {
  return answer.json<{ message?: string }>().message ?? '';
}
