import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, openSync, closeSync, existsSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import type { StandInApiServer } from './api-server.js';
import type { Change, KubeObject } from './object-store.js';

/** How the node treats Pods of an image; undefined: it runs them. */
export type Trouble = 'image-pull' | 'unschedulable' | 'oom' | undefined;

interface Running {
  readonly process: ChildProcess;
  readonly logFile: string;
  readonly ended: Promise<void>;
  killed: boolean;
}

const NODE = 'node-1';

/**
 * A scheduler, a kubelet and a container runtime of one node: really starts the command of a Pod as a process, with its Secret as a file and its
 * volumes as folders. There is no container, so what is mounted is found by replacing its path in the values of the environment.
 */
export class StandInKubelet {
  /** Asked when a Pod appears. */
  trouble: (pod: KubeObject) => Trouble = () => undefined;
  /** Names of services and where they are; a cluster would have a name server. */
  readonly services = new Map<string, string>();
  /** True: the node no longer does or says anything; its processes go on. */
  lost = false;
  private readonly running = new Map<string, Running>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly unlisten: () => void;

  constructor(
    private readonly server: StandInApiServer,
    private readonly folder: string,
  ) {
    server.logOf = (pod) => (existsSync(this.logFile(pod)) ? readFileSync(this.logFile(pod), 'utf8') : undefined);
    this.unlisten = server.store.listen((change) => this.later(0, () => this.react(change)));
  }

  pidOf(uid: string): number | undefined {
    const found = this.running.get(uid);
    return found?.process.exitCode === null && found.process.signalCode === null ? found.process.pid : undefined;
  }

  /** Where the workspace of a VM is on this machine. */
  workspace(claim: string): string {
    return path.join(this.folder, 'volumes', claim);
  }

  async stop(): Promise<void> {
    this.unlisten();
    for (const timer of this.timers) clearTimeout(timer);
    for (const { process } of this.running.values()) process.kill('SIGKILL');
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  private react({ resource, type, object }: Change): void {
    if (this.lost) return;
    if (resource === 'persistentvolumeclaims' && type === 'DELETED') rmSync(this.workspace(object.metadata.name), { recursive: true, force: true });
    if (resource !== 'pods') return;
    const { uid } = object.metadata;
    if (type === 'ADDED') this.admit(object);
    else if (type === 'MODIFIED' && object.metadata.deletionTimestamp !== undefined) this.terminate(object);
    else if (type === 'DELETED') this.running.get(uid)?.process.kill('SIGKILL');
  }

  private current({ metadata }: KubeObject): KubeObject | undefined {
    const pod = this.server.store.find('pods', metadata.namespace, metadata.name);
    return pod?.metadata.uid === metadata.uid ? pod : undefined;
  }

  private status(pod: KubeObject, status: object): void {
    const current = this.current(pod);
    if (current === undefined || this.lost) return;
    current.status = { ...current.status, ...status };
    this.server.store.update('pods', current);
  }

  private admit(pod: KubeObject): void {
    const current = this.current(pod);
    if (current === undefined) return;
    const trouble = this.trouble(pod);
    if (trouble === 'unschedulable') {
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available: 1 Insufficient memory.' };
      this.status(pod, { conditions: [condition] });
      return;
    }
    current.spec.nodeName = NODE;
    this.server.store.update('pods', current);
    if (trouble === 'image-pull') {
      const waiting = { reason: 'ImagePullBackOff', message: `Back-off pulling image "${pod.spec.containers[0].image}"` };
      this.status(pod, { containerStatuses: [{ name: 'runtime', state: { waiting } }] });
      return;
    }
    this.run(pod);
  }

  /** Starts the container as soon as its Secret is there. */
  private run(pod: KubeObject): void {
    if (this.current(pod)?.metadata.deletionTimestamp !== undefined || this.running.has(pod.metadata.uid)) return;
    const mounts = this.mount(pod);
    if (mounts === undefined) {
      this.later(50, () => this.run(pod));
      return;
    }
    const container = pod.spec.containers[0] as { command: string[]; env: { name: string; value: string }[]; volumeMounts: { mountPath: string }[] };
    const real = (text: string): string => {
      const mount = mounts.find(({ mountPath }) => text === mountPath || text.startsWith(`${mountPath}/`));
      return mount === undefined ? text : mount.folder + text.slice(mount.mountPath.length);
    };
    const env = Object.fromEntries(container.env.map(({ name, value }) => [name, this.resolve(real(value.replaceAll('$$(', '$(')))]));
    const log = openSync(this.logFile(pod), 'a');
    const [command, ...argv] = container.command as [string, ...string[]];
    const child = spawn(command, argv, { cwd: real('/workspace'), env: { PATH: process.env.PATH ?? '', ...env }, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve();
        this.exited(pod, code ?? 128 + constants.signals[signal as NodeJS.Signals]);
      });
    });
    this.running.set(pod.metadata.uid, { process: child, logFile: this.logFile(pod), ended, killed: false });
    this.status(pod, { phase: 'Running', startTime: new Date().toISOString(), containerStatuses: [{ name: 'runtime', state: { running: {} } }] });
    this.later(pod.spec.activeDeadlineSeconds * 1_000, () => {
      this.status(pod, { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' });
      child.kill('SIGKILL');
    });
  }

  private resolve(value: string): string {
    return [...this.services].reduce((text, [name, address]) => text.replace(`//${name}/`, `//${address}/`), value);
  }

  private exited(pod: KubeObject, exitCode: number): void {
    if (this.lost) return;
    const current = this.current(pod);
    if (current === undefined) return;
    const terminated = { exitCode, ...(this.trouble(pod) === 'oom' ? { reason: 'OOMKilled' } : {}) };
    this.status(pod, { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses: [{ name: 'runtime', state: { terminated } }] });
    if (current.metadata.deletionTimestamp !== undefined) this.confirm(pod);
  }

  private terminate(pod: KubeObject): void {
    const found = this.running.get(pod.metadata.uid);
    if (found === undefined || this.pidOf(pod.metadata.uid) === undefined) {
      this.confirm(pod);
      return;
    }
    if (!found.killed) found.process.kill('SIGTERM');
    found.killed = true;
    this.later((pod.metadata.deletionGracePeriodSeconds ?? 1) * 1_000, () => found.process.kill('SIGKILL'));
  }

  private confirm({ metadata }: KubeObject): void {
    const current = this.server.store.find('pods', metadata.namespace, metadata.name);
    if (current?.metadata.uid === metadata.uid) this.server.store.delete('pods', metadata.namespace, metadata.name, { graceSeconds: 0 });
  }

  private mount(pod: KubeObject): { mountPath: string; folder: string }[] | undefined {
    const mounts: { mountPath: string; folder: string }[] = [];
    for (const { name, mountPath } of pod.spec.containers[0].volumeMounts as { name: string; mountPath: string }[]) {
      const volume = pod.spec.volumes.find((candidate: { name: string }) => candidate.name === name);
      const folder =
        volume.persistentVolumeClaim === undefined
          ? path.join(this.folder, 'pods', pod.metadata.uid, name)
          : this.workspace(volume.persistentVolumeClaim.claimName);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (volume.secret !== undefined) {
        const secret = this.server.store.find('secrets', pod.metadata.namespace, volume.secret.secretName);
        if (secret === undefined) return undefined;
        for (const [file, data] of Object.entries(secret.data)) {
          rmSync(path.join(folder, file), { force: true });
          writeFileSync(path.join(folder, file), Buffer.from(String(data), 'base64'), { mode: volume.secret.defaultMode });
        }
      }
      mounts.push({ mountPath, folder });
    }
    return mounts;
  }

  private logFile({ metadata }: KubeObject): string {
    mkdirSync(path.join(this.folder, 'logs'), { recursive: true });
    return path.join(this.folder, 'logs', metadata.uid);
  }

  private later(ms: number, act: () => void): void {
    const timer = setTimeout(
      () => {
        this.timers.delete(timer);
        act();
      },
      Math.min(ms, 2 ** 31 - 1),
    ).unref();
    this.timers.add(timer);
  }
}
