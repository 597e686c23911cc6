import { CHANNEL_PROCESSES, type ChannelProcess } from './channel-processes.js';
import { ProcessRecord } from './leftovers.js';
import { SERVICES, type ServiceName } from './mesh-settings.js';
import type { Progress } from './progress.js';
import { RotatingLog } from './rotating-log.js';
import { StartError } from './start-error.js';
import type { StatePaths } from './state-paths.js';
import { type Change, type Life, Supervised } from './supervised.js';

/** Everything that is supervised: the services, the adapters that have an account, and the embedded servers. */
export type MeshProcess = ServiceName | ChannelProcess | 'nats' | 'postgres';

/** Pid and internal HTTP address of the services that run now. */
export type RunningServices = Readonly<Partial<Record<ServiceName | ChannelProcess, { readonly pid: number; readonly http: string | undefined }>>>;

const TRIM_INTERVAL_MS = 5_000;

/** The supervised processes of one mesh, with their logs and the record by which the next start would find strays. */
export class MeshProcesses {
  private readonly supervised = new Map<MeshProcess, Supervised>();
  private readonly logs = new Map<MeshProcess, RotatingLog>();
  private readonly record: ProcessRecord;
  private sealed = false;
  private trimming: NodeJS.Timeout | undefined;

  constructor(
    private readonly paths: StatePaths,
    private readonly progress: Progress,
    /** Called whenever a process became ready again. */
    private readonly onRestart: () => void,
  ) {
    this.record = new ProcessRecord(paths.processes);
  }

  /** From now on nothing new is started: the mesh is stopping. */
  seal(): void {
    this.sealed = true;
  }

  /** Starts one process and keeps it running; settles when it is ready for the first time. */
  async supervise(name: MeshProcess, begin: (abort: AbortSignal) => Promise<Life>): Promise<Life> {
    if (this.sealed) throw new StartError('STOPPED', `${name} was not started: the mesh is stopping`);
    const supervised = new Supervised({ name, begin, onChange: (change) => this.changed(name, change) });
    this.supervised.set(name, supervised);
    return supervised.start();
  }

  /** The process's log file, kept bounded while the mesh runs. */
  log(name: MeshProcess): RotatingLog {
    const log = new RotatingLog(this.paths.log(name));
    this.logs.set(name, log);
    this.trimming ??= setInterval(() => {
      for (const each of this.logs.values()) each.trim();
    }, TRIM_INTERVAL_MS).unref();
    return log;
  }

  get services(): RunningServices {
    const running = [...SERVICES, ...CHANNEL_PROCESSES].flatMap((name) => {
      const life = this.supervised.get(name)?.current;
      return life === undefined ? [] : [[name, { pid: life.identity.pid, http: life.http }] as const];
    });
    return Object.fromEntries(running);
  }

  get pids(): Readonly<Partial<Record<MeshProcess, number>>> {
    return Object.fromEntries([...this.supervised].flatMap(([name, { current }]) => (current === undefined ? [] : [[name, current.identity.pid]])));
  }

  async kill(name: MeshProcess, signal: NodeJS.Signals): Promise<void> {
    const life = this.known(name).current;
    life?.signal(signal);
    await life?.ended;
  }

  async restart(name: MeshProcess, graceMs: number, timeoutMs: number): Promise<void> {
    await this.known(name).restart(graceMs, timeoutMs);
  }

  async whole(timeoutMs: number): Promise<void> {
    await Promise.all([...this.supervised.values()].map((supervised) => supervised.current ?? supervised.nextLife(timeoutMs)));
  }

  /** Stops one process for good; one that was never started counts as stopped. */
  async stop(name: MeshProcess, graceMs: number): Promise<void> {
    await this.supervised.get(name)?.stop(graceMs);
  }

  /** The same for one that is not part of the mesh any more. */
  async retire(name: MeshProcess, graceMs: number): Promise<void> {
    const supervised = this.supervised.get(name);
    this.supervised.delete(name);
    await supervised?.stop(graceMs);
  }

  force(): void {
    for (const { current } of this.supervised.values()) current?.signal('SIGKILL');
  }

  /** Everything has stopped: forget it. */
  close(): void {
    clearInterval(this.trimming);
    this.record.clear();
    for (const log of this.logs.values()) log.close();
  }

  private changed(name: MeshProcess, change: Change): void {
    if (change.kind === 'ready') {
      this.record.set(name, change.life.identity);
      if (!change.restart) return;
      this.progress.note(`${name} is back (pid ${change.life.identity.pid})`);
      this.onRestart();
      return;
    }
    const [first] = change.reason.split('\n');
    const what = change.kind === 'ended' ? `${name} ${first}` : `${name} did not start: ${first}`;
    const line = `${what}; starting it again in ${change.retryInMs} ms (log: ${this.paths.log(name)})`;
    this.progress.note(line);
    this.logs.get(name)?.write(`${JSON.stringify({ level: 'warn', time: Date.now(), name: 'launcher', msg: line })}\n`);
  }

  private known(name: MeshProcess): Supervised {
    const supervised = this.supervised.get(name);
    if (supervised === undefined) throw new Error(`${name} is not part of this mesh`);
    return supervised;
  }
}
