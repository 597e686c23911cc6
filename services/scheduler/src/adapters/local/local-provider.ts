import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DestroyOptions,
  type IncarnationKey,
  type InstanceSpec,
  type ListedInstance,
  type ListedWorkspace,
  type ProviderCapabilities,
  ProviderError,
  type ProviderObservation,
  type ProviderRef,
  type VmProvider,
} from '../../application/provider-port.js';
import { requirePlainEnvironment } from '../template-environment.js';
import { withFolderLock } from './folder-lock.js';
import { type Launcher, PLAIN_LAUNCHER } from './launcher.js';
import { type ProcessIdentity, ageOf, groupOf, isRunning, ProcessScans, type ScannedProcess, signal } from './process-table.js';
import { spawnRuntime } from './spawn-runtime.js';
import { hostIdOf, type InstanceRecord, VmFolder, vmIdsBelow } from './vm-folder.js';

export interface LocalProviderOptions {
  /** Where the folders of VMs are. */
  readonly root: string;
  /** Script of the runtime, run by this very Node. */
  readonly runtimeEntry: string;
  /** Marks our processes; two clusters on one machine never touch each other's. */
  readonly cluster: string;
  /** Address that runtimes connect to. */
  readonly controlPlaneUrl: string;
  /** Everything else a runtime may see of our environment. No secrets: anybody on this machine who is us can read it. */
  readonly environment: Readonly<Record<string, string>>;
  /** `die`: VMs end when the process that started them does. Default: they live on, and a successor takes them over. */
  readonly orphanPolicy?: 'adopt' | 'die';
  /** Limits and namespaces around the runtime. Default: none. */
  readonly launcher?: Launcher;
  readonly log: { warn(fields: object, message: string): void };
}

const STOP_GRACE_MS = 5_000;
const KILL_GRACE_MS = 2_000;
const POLL_MS = 50;
const WATCH_MS = 500;
const EXIT_NOTICE_MS = 500;
/** Somebody else is starting or ending the same VM; shorter than a claim. */
const LOCK_WAIT_MS = 8_000;

/**
 * VMs as processes of this machine, in process groups of their own. Without a launcher that makes namespaces there is no isolation whatsoever: this is not a
 * sandbox. They outlive this process; its successor recognises them by pid, start time and boot.
 */
export class LocalProvider implements VmProvider {
  readonly name = 'local';
  readonly kind = 'local';
  readonly hostId: string;
  readonly capabilities: ProviderCapabilities;
  readonly deadlines = { provisionMs: 60_000, bootMs: 30_000, stopMs: 15_000 };
  /** Children of this very process, with their end. */
  private readonly children = new Map<string, Promise<void>>();
  private readonly watched = new Map<string, { readonly key: IncarnationKey; identity: ProcessIdentity | undefined }>();
  private watcher: NodeJS.Timeout | undefined;
  private onChange: (key: IncarnationKey) => void = () => {};
  private readonly scans: ProcessScans;
  private readonly launcher: Launcher;

  constructor(private readonly options: LocalProviderOptions) {
    this.scans = new ProcessScans(options.cluster);
    this.launcher = options.launcher ?? PLAIN_LAUNCHER;
    this.hostId = hostIdOf(options.root);
    this.capabilities = {
      isolation: this.launcher.isolation,
      pause: 'stop-keep-workspace',
      survivesSchedulerRestart: options.orphanPolicy !== 'die',
      confirmsExit: true,
      watch: true,
      logs: true,
      networkPolicy: false,
      resourceLimits: false,
      images: false,
    };
  }

  async create(spec: InstanceSpec): Promise<ProviderObservation> {
    refuseUnsupported(spec);
    const folder = this.folder(spec.vmId);
    const outcome = await withFolderLock(folder.path, LOCK_WAIT_MS, () => this.start(folder, spec));
    return outcome ?? { phase: 'unknown', text: 'somebody else is starting it' };
  }

  private async start(folder: VmFolder, spec: InstanceSpec): Promise<ProviderObservation> {
    folder.make();
    const record = folder.read();
    if (record?.epoch === spec.epoch && record.handedOver === true && record.process !== undefined && isRunning(record.process)) {
      return { phase: 'running', ref: refOf(record.process) };
    }
    if (record !== undefined && record.epoch > spec.epoch) return { phase: 'unknown', text: 'a newer incarnation is on record' };
    // One of this epoch was spawned by somebody who died before its secrets were handed over: it can never connect.
    // And no earlier incarnation shares the workspace, whatever its row says.
    for (const epoch of await this.leftovers(spec, record)) {
      if (!(await this.end({ vmId: spec.vmId, epoch }, 0))) return { phase: 'unknown', text: `a process of its epoch ${epoch} survived SIGKILL` };
    }
    const bootstrap = await spec.bootstrap();
    if (bootstrap === undefined) return { phase: 'unknown', text: 'somebody else is starting it' };
    const { process: process_, ended } = await spawnRuntime({ ...this.options, launcher: this.launcher }, folder, spec, bootstrap);
    if (process_ === undefined) return { phase: 'exited', text: folder.logTail() };
    this.follow({ vmId: spec.vmId, epoch: spec.epoch }, process_, ended);
    return { phase: 'running', ref: refOf(process_) };
  }

  /** Epochs up to this one that have processes, by their marker or in the group of the one on record. */
  private async leftovers({ vmId, epoch }: IncarnationKey, record: InstanceRecord | undefined): Promise<ReadonlySet<number>> {
    const processes = await this.scans.take();
    const marked = processes.flatMap(({ marker }) => (marker?.vmId === vmId && marker.epoch <= epoch ? [marker.epoch] : []));
    const isGroupLeft = record?.process !== undefined && groupOf(record.process, processes).length > 0;
    return new Set([...marked, ...(isGroupLeft ? [record.epoch] : [])]);
  }

  /** Only its parent can know how it ended. */
  private follow(key: IncarnationKey, identity: ProcessIdentity, ended: Promise<void>): void {
    const name = nameOf(key);
    this.watched.set(name, { key, identity });
    const noticed = ended.then(() => {
      if (this.children.get(name) === noticed) this.children.delete(name);
      this.onChange(key);
    });
    this.children.set(name, noticed);
  }

  async observe(key: IncarnationKey): Promise<ProviderObservation> {
    const folder = this.folder(key.vmId);
    const found = folder.read();
    if (found?.epoch !== key.epoch) {
      const lost = (await this.scans.take()).some((process_) => isOf(process_, key));
      return lost ? { phase: 'unknown', text: 'a process of it runs without a record' } : { phase: 'absent' };
    }
    // Only an intent: whoever had it died before it could say what it started, and a process of it, if any, never got its secrets. Starting anew ends that one first.
    if (found.process === undefined) return { phase: 'absent' };
    if (!isRunning(found.process)) {
      // The kernel may say so a moment before Node has told us how it ended.
      await Promise.race([this.children.get(nameOf(key)), sleep(EXIT_NOTICE_MS, undefined, { ref: false })]);
      const { exit } = folder.read() ?? found;
      return {
        phase: 'exited',
        ...(exit?.code === undefined ? {} : { exitCode: exit.code }),
        ...(exit?.signal === undefined ? {} : { signal: exit.signal }),
        text: folder.logTail(),
      };
    }
    // Without its secrets, and nobody alive who could still give them to it: as good as never started.
    if (found.handedOver !== true && !this.children.has(nameOf(key))) return { phase: 'absent' };
    return { phase: 'running', ref: refOf(found.process) };
  }

  async destroy(key: IncarnationKey, options: DestroyOptions): Promise<ProviderObservation> {
    if (options.ref !== undefined) await this.requireIdentity(key, options.ref);
    const gone = await this.end(key, options.force ? 0 : (options.graceMs ?? STOP_GRACE_MS));
    if (!gone) return { phase: 'unknown', text: 'processes of it survived SIGKILL' };
    this.watched.delete(nameOf(key));
    const observed = await this.observe(key);
    return observed.phase === 'exited' ? observed : { phase: 'absent' };
  }

  private async requireIdentity(key: IncarnationKey, ref: ProviderRef): Promise<void> {
    const members = await this.membersOf(key);
    const named: ProcessIdentity = { pid: Number(ref.pid), startTicks: String(ref.startTicks), bootId: String(ref.bootId) };
    if (members.length === 0 || members.some((member) => isSame(member, named)) || groupOf(named, members).length > 0) return;
    const { process: recorded } = this.folder(key.vmId).read() ?? {};
    if (recorded !== undefined && isSame(recorded, named)) return;
    throw new ProviderError('IDENTITY_MISMATCH', `${nameOf(key)} is not process ${named.pid} that was named; nothing was touched`);
  }

  /** Ends the main process, its group, and whoever else carries the marker of this incarnation: TERM, then KILL. False when something is left. */
  private async end(key: IncarnationKey, graceMs: number): Promise<boolean> {
    if (graceMs > 0) {
      const members = await this.membersOf(key);
      const leader = this.folder(key.vmId).read()?.process;
      // Bubblewrap would take everything down with itself; it ends by itself after what it started, and passes its exit code on.
      const wraps = this.launcher.isolation === 'namespace' && leader !== undefined && members.length > 1;
      for (const member of members) if (!wraps || !isSame(member, leader)) signal(member, 'SIGTERM');
      await allGone(members, graceMs);
    }
    // In rounds: what forks while it is being killed is found by the next.
    const until = performance.now() + KILL_GRACE_MS;
    for (;;) {
      const members = await this.membersOf(key);
      if (members.length === 0) return true;
      if (performance.now() >= until) return false;
      for (const member of members) signal(member, 'SIGKILL');
      await allGone(members, Math.max(0, until - performance.now()));
    }
  }

  private async membersOf(key: IncarnationKey): Promise<readonly ScannedProcess[]> {
    const processes = await this.scans.take();
    const record = this.folder(key.vmId).read();
    const leader = record?.epoch === key.epoch ? record.process : undefined;
    const group = leader === undefined ? [] : groupOf(leader, processes);
    return processes.filter((process_) => group.includes(process_) || isOf(process_, key));
  }

  async list(): Promise<readonly ListedInstance[]> {
    const oldest = new Map<string, { readonly key: IncarnationKey; readonly process: ScannedProcess }>();
    for (const process_ of await this.scans.take()) {
      if (process_.marker === undefined) continue;
      const name = nameOf(process_.marker);
      const known = oldest.get(name);
      if (known === undefined || Number(process_.startTicks) < Number(known.process.startTicks)) oldest.set(name, { key: process_.marker, process: process_ });
    }
    return [...oldest.entries()].map(([name, { key, process: process_ }]) => ({ ...key, name, ageMs: ageOf(process_), ref: refOf(process_) }));
  }

  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void {
    this.onChange = onChange;
    const names = new Set(keys.map(nameOf));
    for (const name of this.watched.keys()) if (!names.has(name) && !this.children.has(name)) this.watched.delete(name);
    for (const key of keys) if (!this.watched.has(nameOf(key))) this.watched.set(nameOf(key), { key, identity: undefined });
    if (keys.length === 0 && this.children.size === 0) {
      clearInterval(this.watcher);
      this.watcher = undefined;
    } else {
      this.watcher ??= setInterval(() => this.look(), WATCH_MS).unref();
    }
  }

  /** One cheap read per VM. What is gone is said again every time, until somebody acts on it. */
  private look(): void {
    for (const entry of this.watched.values()) {
      try {
        const folder = this.folder(entry.key.vmId);
        const record = entry.identity === undefined ? folder.read() : undefined;
        if (record?.epoch === entry.key.epoch) entry.identity = record.process;
        if (entry.identity === undefined) continue;
        if (isRunning(entry.identity)) folder.trimLog();
        else this.onChange(entry.key);
      } catch (error) {
        this.options.log.warn({ ...entry.key, err: error }, 'a VM could not be looked at');
      }
    }
  }

  async logs(vmId: string, { tailBytes }: { readonly tailBytes: number }): Promise<string | undefined> {
    return this.folder(vmId).logs(tailBytes);
  }

  async workspaces(): Promise<readonly ListedWorkspace[]> {
    const running = new Set((await this.scans.take()).map(({ marker }) => marker?.vmId));
    return vmIdsBelow(this.options.root).map((vmId) => ({ vmId, idleMs: running.has(vmId) ? 0 : this.folder(vmId).idleMs() }));
  }

  async removeWorkspace(vmId: string): Promise<void> {
    const folder = this.folder(vmId);
    const removed = await withFolderLock(folder.path, LOCK_WAIT_MS, async () => {
      const recorded = folder.read()?.process;
      const lives = (recorded !== undefined && isRunning(recorded)) || (await this.scans.take()).some(({ marker }) => marker?.vmId === vmId);
      if (lives) throw new ProviderError('IDENTITY_MISMATCH', `${vmId} still runs: its workspace was not removed`);
      await folder.remove();
      return true;
    });
    if (removed === undefined) throw new ProviderError('UNAVAILABLE', `${vmId} is being started or removed by somebody else`);
  }

  async highestEpoch(): Promise<number> {
    const recorded = vmIdsBelow(this.options.root).map((vmId) => this.folder(vmId).read()?.epoch ?? 0);
    const running = (await this.scans.take()).map(({ marker }) => marker?.epoch ?? 0);
    return Math.max(0, ...recorded, ...running);
  }

  async close(): Promise<void> {
    clearInterval(this.watcher);
    this.watcher = undefined;
    this.watched.clear();
    this.onChange = () => {};
  }

  private folder(vmId: string): VmFolder {
    return new VmFolder(this.options.root, vmId);
  }
}

/** A field of a template that would be ignored is refused: its author would believe in it. */
function refuseUnsupported({ template }: InstanceSpec): void {
  requirePlainEnvironment(template);
  if (template?.image !== undefined || template?.command !== undefined) {
    throw new ProviderError('INVALID_SPEC', 'the local provider starts the runtime of this machine: a template for it names neither image nor command');
  }
  if (template?.network === 'mesh')
    throw new ProviderError('INVALID_SPEC', 'the local provider cannot keep VMs from the network: network "mesh" needs containers');
}

async function allGone(members: readonly ProcessIdentity[], waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  while (members.some(isRunning) && performance.now() < until) await sleep(POLL_MS);
}

function isOf({ marker }: ScannedProcess, key: IncarnationKey): boolean {
  return marker?.vmId === key.vmId && marker.epoch === key.epoch;
}

function isSame(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTicks === other.startTicks && one.bootId === other.bootId;
}

function nameOf({ vmId, epoch }: IncarnationKey): string {
  return `${vmId}/${epoch}`;
}

function refOf(identity: ProcessIdentity): ProviderRef {
  return { pid: identity.pid, startTicks: identity.startTicks, bootId: identity.bootId };
}
