import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bootstrap, CreateSpec, IncarnationKey, Provider, ProviderRef } from '../../application/ports.js';
import type { Observation } from '../../domain/vm.js';
import { ageOf, groupOf, identify, isRunning, type ProcessIdentity, ProcessScans, signal } from './process-table.js';
import { type InstanceRecord, VmFolder } from './vm-folder.js';

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
  readonly log: { warn(fields: object, message: string): void };
}

const STOP_GRACE_MS = 5_000;
const KILL_GRACE_MS = 2_000;
const POLL_MS = 50;
const WATCH_MS = 500;
const EXIT_NOTICE_MS = 500;

/**
 * VMs as processes of this machine, in process groups of their own. No isolation whatsoever: this is not a sandbox. They outlive this process;
 * its successor recognises them by pid, start time and boot.
 */
export class LocalProvider implements Provider {
  readonly name = 'local';
  /** Children of this very process, with their end. */
  private readonly children = new Map<string, Promise<void>>();
  private readonly watched = new Map<string, { readonly key: IncarnationKey; identity: ProcessIdentity | undefined }>();
  private watcher: NodeJS.Timeout | undefined;
  private onGone: (key: IncarnationKey) => void = () => {};

  private readonly scans: ProcessScans;

  constructor(private readonly options: LocalProviderOptions) {
    this.scans = new ProcessScans(options.cluster);
  }

  async create(spec: CreateSpec): Promise<Observation & { readonly ref?: ProviderRef }> {
    const folder = this.folder(spec.vmId);
    folder.make();
    const record = folder.read();
    if (record?.epoch === spec.epoch && record.handedOver === true && record.process !== undefined && isRunning(record.process)) {
      return { phase: 'running', ref: refOf(record.process) };
    }
    if (record !== undefined && record.epoch > spec.epoch) return { phase: 'unknown', text: 'a newer incarnation is on record' };
    // Spawned by somebody who died before its secrets were handed over: it can never connect.
    await this.end(spec, 0);
    const bootstrap = await spec.bootstrap();
    if (bootstrap === undefined) return { phase: 'unknown', text: 'somebody else is starting it' };
    return this.spawn(folder, spec, bootstrap);
  }

  private async spawn(folder: VmFolder, spec: CreateSpec, bootstrap: Bootstrap): Promise<Observation & { readonly ref?: ProviderRef }> {
    const intent: InstanceRecord = {
      name: `plexus-${spec.vmId}`,
      vmId: spec.vmId,
      epoch: spec.epoch,
      nonce: randomBytes(8).toString('hex'),
      createdAt: new Date().toISOString(),
    };
    folder.write(intent);
    const log = folder.openLog();
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [this.options.runtimeEntry], {
        cwd: folder.workspace,
        env: this.environmentOf(folder, spec),
        detached: true, // a group and session of its own: our end is not its end
        stdio: ['pipe', log, log],
      });
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    } finally {
      closeSync(log);
    }
    child.unref();
    const process_ = identify(child.pid as number);
    if (process_ === undefined) return { phase: 'exited', text: folder.logTail() };
    folder.write({ ...intent, process: process_ });
    this.follow(child, folder, spec, process_);
    await handOver(child, bootstrap);
    this.amend(folder, spec.epoch, { handedOver: true });
    return { phase: 'running', ref: refOf(process_) };
  }

  private environmentOf(folder: VmFolder, spec: CreateSpec): Record<string, string> {
    return {
      ...this.options.environment,
      CONTROL_PLANE_WS: this.options.controlPlaneUrl,
      PLEXUS_WORKDIR: folder.workspace,
      PLEXUS_CLUSTER: this.options.cluster,
      VM_ID: spec.vmId,
      VM_USER_ID: spec.userId,
      VM_EPOCH: String(spec.epoch),
    };
  }

  /** Notes how it ends; only its parent can know. */
  private follow(child: ChildProcess, folder: VmFolder, spec: IncarnationKey, identity: ProcessIdentity): void {
    const key = { vmId: spec.vmId, epoch: spec.epoch };
    const name = nameOf(key);
    this.watched.set(name, { key, identity });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', (code, signalName) => {
        this.children.delete(name);
        try {
          this.amend(folder, key.epoch, { exit: { ...(code === null ? {} : { code }), ...(signalName === null ? {} : { signal: signalName }) } });
        } catch (error) {
          this.options.log.warn({ ...key, err: error }, 'how a runtime ended could not be written down');
        }
        resolve();
        this.onGone(key);
      });
    });
    this.children.set(name, ended);
  }

  private amend(folder: VmFolder, epoch: number, change: Partial<InstanceRecord>): void {
    const record = folder.read();
    if (record?.epoch === epoch) folder.write({ ...record, ...change });
  }

  async observe(key: IncarnationKey): Promise<Observation> {
    const folder = this.folder(key.vmId);
    const found = folder.read();
    if (found?.epoch !== key.epoch || found.process === undefined) return { phase: 'absent' };
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
    return { phase: 'running' };
  }

  async destroy(key: IncarnationKey, options: { readonly force: boolean; readonly graceMs?: number }): Promise<Observation> {
    const gone = await this.end(key, options.force ? 0 : (options.graceMs ?? STOP_GRACE_MS));
    if (!gone) return { phase: 'unknown', text: 'processes of it survived SIGKILL' };
    this.watched.delete(nameOf(key));
    const observed = await this.observe(key);
    return observed.phase === 'exited' ? observed : { phase: 'absent' };
  }

  /** Ends the main process, its group, and whoever else carries the marker of this incarnation: TERM, then KILL. False when something is left. */
  private async end(key: IncarnationKey, graceMs: number): Promise<boolean> {
    const steps =
      graceMs > 0
        ? ([
            ['SIGTERM', graceMs],
            ['SIGKILL', KILL_GRACE_MS],
          ] as const)
        : ([['SIGKILL', KILL_GRACE_MS]] as const);
    for (const [name, waitMs] of steps) {
      const members = await this.membersOf(key);
      if (members.length === 0) return true;
      for (const member of members) signal(member, name);
      await allGone(members, waitMs);
    }
    return (await this.membersOf(key)).length === 0;
  }

  private async membersOf(key: IncarnationKey): Promise<readonly ProcessIdentity[]> {
    const processes = await this.scans.take();
    const record = this.folder(key.vmId).read();
    const leader = record?.epoch === key.epoch ? record.process : undefined;
    const group = leader === undefined ? [] : groupOf(leader, processes);
    return processes.filter((process_) => group.includes(process_) || (process_.marker?.vmId === key.vmId && process_.marker.epoch === key.epoch));
  }

  async list(): Promise<readonly (IncarnationKey & { readonly ageMs: number })[]> {
    const incarnations = new Map<string, IncarnationKey & { readonly ageMs: number }>();
    for (const process_ of await this.scans.take()) {
      if (process_.marker === undefined) continue;
      const name = nameOf(process_.marker);
      incarnations.set(name, { ...process_.marker, ageMs: Math.max(ageOf(process_), incarnations.get(name)?.ageMs ?? 0) });
    }
    return [...incarnations.values()];
  }

  watch(keys: readonly IncarnationKey[], onGone: (key: IncarnationKey) => void): void {
    this.onGone = onGone;
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
        else this.onGone(entry.key);
      } catch (error) {
        this.options.log.warn({ ...entry.key, err: error }, 'a VM could not be looked at');
      }
    }
  }

  private folder(vmId: string): VmFolder {
    return new VmFolder(this.options.root, vmId);
  }
}

/** Secrets go through stdin only, once. Then it is closed: a runtime that needed it open would not survive us. */
async function handOver(child: ChildProcess, bootstrap: Bootstrap): Promise<void> {
  const stdin = child.stdin;
  if (stdin === null) throw new TypeError('the runtime has no stdin');
  // A runtime that dies while it is being told has an exit that says why; the broken pipe adds nothing.
  await new Promise<void>((resolve) => {
    stdin.once('error', () => resolve());
    stdin.end(`${JSON.stringify(bootstrap)}\n`, () => resolve());
  });
}

async function allGone(members: readonly ProcessIdentity[], waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  while (members.some(isRunning) && performance.now() < until) await sleep(POLL_MS);
}

function nameOf({ vmId, epoch }: IncarnationKey): string {
  return `${vmId}/${epoch}`;
}

function refOf(identity: ProcessIdentity): ProviderRef {
  return { pid: identity.pid, startTicks: identity.startTicks, bootId: identity.bootId };
}
