import { existsSync } from 'node:fs';
import path from 'node:path';
import { type FollowedConfig, followConfigFile } from './follow-config-file.js';
import { CHANNEL_PROCESSES, ChannelProcesses } from './channel-processes.js';
import { type Environment, environment } from './config.js';
import { type HeldLock, tryLock } from '@plexus/kernel/file-lock';
import { freePort, isPortFree } from './free-port.js';
import { launchChannel } from './launch-channel.js';
import { launchService, READY_TIMEOUT_MS } from './launch-service.js';
import { stopLeftovers, stopMarked } from './leftovers.js';
import { type MeshAddresses, serviceEnvironment } from './mesh-environment.js';
import { removeMeshRecord, writeMeshRecord } from './mesh-record.js';
import { type MeshProcess, MeshProcesses, type RunningServices } from './mesh-processes.js';
import { gatewayPortFrom, nodeFlagsFrom, SERVICES, type ServiceName, stateDirFrom } from './mesh-settings.js';
import { JetStreamWatch } from './jetstream-watch.js';
import { externalAccess, type NatsAccess } from './nats-access.js';
import { startNatsServer } from './nats-server.js';
import { postgresFolder } from './postgres-folder.js';
import { startPostgres } from './postgres-server.js';
import { OrphanWatch } from './orphan-watch.js';
import { rememberPorts, startOnPreferredPort } from './ports.js';
import { prepareBus } from './prepare-bus.js';
import { createMeshDatabase, DATABASE_NAME, migrateMeshDatabase } from './prepare-database.js';
import { writePrivate } from './private-file.js';
import { identify } from './process-identity.js';
import { type Progress, silentProgress } from './progress.js';
import { StartError } from './start-error.js';
import { clearState, DEMO_INTEGRATOR, OPERATOR_ROLE, type PreparedState, prepareState } from './state.js';
import { statePaths } from './state-paths.js';
import { withoutPassword } from './without-password.js';

export interface MeshOptions {
  /** Default: `PLEXUS_STATE_DIR`, else `.plexus` in the repository. */
  readonly stateDir?: string;
  /** Default: `PLEXUS_GATEWAY_PORT`, else 18789; 0: any free port. */
  readonly gatewayPort?: number;
  /** Bearer token of the embedded user; default: `PLEXUS_TOKEN`, else minted at the first start. */
  readonly token?: string;
  /** Environment that settings are read from and services inherit; default: this process's. */
  readonly env?: Environment;
  /** Start only these services. */
  readonly only?: readonly ServiceName[];
  /** Configuration file of tenant `default` to follow. Default: `plexus.json5` in the state folder, there or not. */
  readonly configFile?: string;
  /** Forget the state first. */
  readonly fresh?: boolean;
  readonly progress?: Progress;
  /** Aborting it while the mesh starts stops what runs already; the start then rejects with `STOPPED`. */
  readonly signal?: AbortSignal;
}

export interface Mesh {
  readonly gateway: { readonly ws: string; readonly http: string };
  readonly nats: string;
  readonly token: string;
  /** True when the token was minted by this start. */
  readonly tokenIsNew: boolean;
  readonly stateDir: string;
  /** Value of `PLEXUS_CLUSTER` in the environment of every process of this mesh. */
  readonly clusterId: string;
  /** File with the URL a foreign NATS client connects with as integrator `demo`; undefined with a NATS server of the user's. */
  readonly integratorUrlFile: string | undefined;
  readonly databaseUrl: string;
  /** Pid and internal HTTP address of each service as of now; a service that is just being restarted is missing. */
  readonly services: RunningServices;
  /** Pids of everything that runs now, embedded servers included. */
  readonly pids: Readonly<Partial<Record<MeshProcess, number>>>;
  /** Ends one process as the signal does and waits until it is gone; the supervision starts it again. */
  kill(name: MeshProcess, signal?: NodeJS.Signals): Promise<void>;
  /** Stops one process in order and settles when its successor is ready. */
  restart(name: MeshProcess): Promise<void>;
  /** Settles when every process is ready; rejects after `timeoutMs`. */
  whole(timeoutMs: number): Promise<void>;
  /** Stops everything, at most 10 s; further calls wait for the same stop. */
  stop(): Promise<void>;
  /** Kills at once what a running {@link stop} is still waiting for. */
  force(): void;
}

const STOP_BUDGET_MS = 9_000;

/**
 * Starts the whole mesh on this machine and settles when it is ready: nats-server and Postgres (unless `NATS_URL`, `DATABASE_URL`,
 * `MEMORY_DATABASE_URL` name others), streams, buckets, migrations, then the services, each a process of its own that is restarted when it
 * dies. Rejects with {@link StartError}, having stopped what it had started.
 */
export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const launch = new Launch(options);
  const onAbort = (): void => void launch.stop();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    options.signal?.throwIfAborted();
    return await launch.run();
  } catch (error) {
    await launch.stop();
    throw options.signal?.aborted ? new StartError('STOPPED', 'The start was interrupted.', undefined, { cause: error }) : error;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
  }
}

class Launch {
  private readonly env: Environment;
  private readonly progress: Progress;
  private readonly paths;
  private readonly processes: MeshProcesses;
  private lock: HeldLock | undefined;
  private orphans: OrphanWatch | undefined;
  private natsWatch: JetStreamWatch | undefined;
  private following: FollowedConfig | undefined;
  private channels: ChannelProcesses | undefined;
  private state: PreparedState | undefined;
  private addresses: MeshAddresses | undefined;
  private stopping: Promise<void> | undefined;
  private mesh: Mesh | undefined;
  private readonly startedAt = new Date().toISOString();

  constructor(private readonly options: MeshOptions) {
    this.env = options.token === undefined ? (options.env ?? environment()) : { ...(options.env ?? environment()), PLEXUS_TOKEN: options.token };
    this.progress = options.progress ?? silentProgress;
    this.paths = statePaths(options.stateDir ?? stateDirFrom(this.env));
    this.processes = new MeshProcesses(this.paths, this.progress, () => this.writeRecord());
  }

  async run(): Promise<Mesh> {
    const gatewayPort = this.options.gatewayPort ?? gatewayPortFrom(this.env);
    this.takeLock();
    if (this.options.fresh === true) clearState(this.paths.root);
    const state = await prepareState(this.paths.root, this.env);
    this.state = state;
    await this.clearLeftovers(state);
    this.orphans = OrphanWatch.start(state.clusterId);
    await this.checkGatewayPort(gatewayPort);

    const [natsUrl, databaseUrl] = await this.all([this.startNats(state), this.startDatabase()]);
    this.addresses = {
      paths: this.paths,
      clusterId: state.clusterId,
      natsUrl,
      natsIsEmbedded: !this.env.NATS_URL,
      databaseUrl,
      memoryDatabaseUrl: this.env.MEMORY_DATABASE_URL || `pglite:${this.paths.memory}`,
      gatewayPort: gatewayPort === 0 ? await freePort() : gatewayPort,
    };
    await this.all([this.prepareStreams(state, natsUrl), this.prepareTables(databaseUrl)]);

    const names = SERVICES.filter((name) => this.options.only === undefined || this.options.only.includes(name));
    await this.all(names.map((name) => this.startService(name, this.addresses as MeshAddresses)));
    if (this.addresses.natsIsEmbedded) await this.watchNats(natsUrl);
    this.mesh = this.describe(state, this.addresses);
    this.writeRecord();
    if (names.includes('gateway') && names.includes('routing')) await this.followConfig(state, this.mesh);
    if (names.includes('routing')) await this.followChannels(this.addresses);
    return this.mesh;
  }

  /** What stands in the configuration file comes into force now, and whenever it changes. */
  private async followConfig(state: PreparedState, mesh: Mesh): Promise<void> {
    const { configFile } = this.options;
    const file = path.resolve(configFile ?? this.paths.configFile);
    if (configFile !== undefined && !existsSync(file))
      throw new StartError('SETTING_INVALID', `There is no configuration file ${file}.`, 'Create it, or leave out --config.');
    this.following = await followConfigFile({
      file,
      digestFile: this.paths.configFileDigest,
      stateDir: this.paths.root,
      gateway: mesh.gateway.http,
      token: state.token,
      access: this.access(mesh.nats),
      note: (line) => this.progress.note(line),
    });
  }

  /** Adapters run exactly while the configuration names an account of theirs. One that does not start is no reason to fail. */
  private async followChannels(addresses: MeshAddresses): Promise<void> {
    const { processes, paths, env } = this;
    this.channels = await ChannelProcesses.follow({
      access: this.access(addresses.natsUrl),
      start: async (name) => {
        await launchChannel(processes, { name, portsFile: paths.ports, env: serviceEnvironment(name, addresses, env), nodeFlags: nodeFlagsFrom(env) });
        this.writeRecord();
      },
      stop: async (name) => {
        await processes.retire(name, 4_000);
        this.writeRecord();
      },
      note: (line) => this.progress.note(line),
    });
  }

  private takeLock(): void {
    const attempt = tryLock(this.paths.lock);
    if ('held' in attempt) {
      this.lock = attempt.held;
      return;
    }
    const { process: holder, note } = attempt.holder;
    const where = typeof note.gateway === 'string' ? `gateway at ${note.gateway}` : 'still starting';
    throw new StartError(
      'ALREADY_RUNNING',
      `A mesh is already running on ${this.paths.root} (pid ${holder.pid}, ${where}).`,
      `Use that one, stop it (kill ${holder.pid}), or start another beside it: PLEXUS_GATEWAY_PORT=0 npm start -- --state <folder>`,
    );
  }

  private async clearLeftovers(state: PreparedState): Promise<void> {
    const stopped = await stopLeftovers(this.paths.processes, state.clusterId);
    if (stopped.length > 0) this.progress.note(`an earlier start was killed; stopped what it left behind: ${stopped.join(', ')}`);
    removeMeshRecord(this.paths.root);
  }

  private async checkGatewayPort(port: number): Promise<void> {
    if (port === 0 || (this.options.only !== undefined && !this.options.only.includes('gateway')) || (await isPortFree(port))) return;
    throw new StartError(
      'PORT_TAKEN',
      `The gateway's port ${port} is taken by another program.`,
      'Stop that program, or choose another port: PLEXUS_GATEWAY_PORT=<port> npm start, or 0 for any free one.',
    );
  }

  private async startNats(state: PreparedState): Promise<string> {
    const external = this.env.NATS_URL;
    if (external) {
      this.progress.note(`using the NATS server at ${withoutPassword(external)}`);
      return external;
    }
    return this.step('nats', 'nats-server', async () => {
      const log = this.processes.log('nats');
      const start = (port: number) =>
        this.processes.supervise('nats', async () => {
          const server = await startNatsServer({
            dir: this.paths.nats,
            port,
            users: state.natsUsers,
            onProgress: (line) => this.progress.update('nats', line),
            onLog: (text) => log.write(text),
          });
          return server.process;
        });
      const port = await startOnPreferredPort(this.paths.ports, 'nats', start);
      rememberPorts(this.paths.ports, { nats: port });
      writePrivate(this.paths.integratorUrl, `nats://${DEMO_INTEGRATOR.source}:${state.integratorPassword}@127.0.0.1:${port}`);
      const url = `nats://127.0.0.1:${port}`;
      return { value: url, detail: url };
    });
  }

  private async startDatabase(): Promise<string> {
    const external = this.env.DATABASE_URL;
    if (external) {
      this.progress.note(`using the database at ${withoutPassword(external)}`);
      return external;
    }
    return this.step('postgres', 'Postgres', async () => {
      const log = this.processes.log('postgres');
      const dir = postgresFolder(this.paths);
      let url = '';
      let adminUrl = '';
      const start = (port: number) =>
        this.processes.supervise('postgres', async () => {
          const server = await startPostgres({ dir, port, onLog: (text) => log.write(text) });
          url = server.url(DATABASE_NAME);
          adminUrl = server.url();
          return server.process;
        });
      const port = await startOnPreferredPort(this.paths.ports, 'postgres', start);
      rememberPorts(this.paths.ports, { postgres: port });
      await createMeshDatabase(adminUrl);
      return { value: url, detail: `127.0.0.1:${port}` };
    });
  }

  private prepareStreams(state: PreparedState, natsUrl: string): Promise<void> {
    return this.step('streams', 'streams and buckets', async () => {
      const changed = await prepareBus({ ...this.access(natsUrl), publicKey: state.publicKey });
      return { value: undefined, detail: changed === 0 ? 'as declared' : `${changed} created or changed` };
    });
  }

  private access(natsUrl: string): NatsAccess {
    return this.env.NATS_URL ? externalAccess(natsUrl, this.env) : { natsUrl, seedFile: this.paths.nkeySeed(OPERATOR_ROLE) };
  }

  private prepareTables(databaseUrl: string): Promise<void> {
    return this.step('migrations', 'migrations', async () => {
      const applied = await migrateMeshDatabase(databaseUrl);
      return { value: undefined, detail: applied.length === 0 ? 'up to date' : `${applied.length} applied` };
    });
  }

  private async watchNats(natsUrl: string): Promise<void> {
    this.natsWatch = await JetStreamWatch.start({
      access: this.access(natsUrl),
      dir: this.paths.nats,
      restart: () => this.processes.kill('nats', 'SIGKILL'),
      note: (line) => this.progress.note(line),
    });
    if (this.stopping === undefined) return;
    // It came too late for the stop to see it.
    await this.natsWatch.stop();
    throw new StartError('STOPPED', 'The start was interrupted.');
  }

  private startService(name: ServiceName, addresses: MeshAddresses): Promise<void> {
    return this.step(name, name, async () => {
      const env = serviceEnvironment(name, addresses, this.env);
      const life = await launchService(this.processes, { name, project: name, script: 'dist/src/main.js', env, nodeFlags: nodeFlagsFrom(this.env) });
      return { value: undefined, detail: `pid ${life.identity.pid}` };
    });
  }

  /** Like `Promise.all`, but the first failure stops the rest, and it settles only when nothing is being started any more. */
  private async all<T extends readonly unknown[]>(parts: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
    const promises: readonly Promise<unknown>[] = parts;
    let first: { readonly reason: unknown } | undefined;
    const watched = promises.map((part) =>
      part.catch((reason: unknown) => {
        first ??= { reason };
        void this.stop();
      }),
    );
    const values = await Promise.all(watched);
    if (first !== undefined) throw (first as { readonly reason: unknown }).reason;
    return values as unknown as T;
  }

  /** One line of the progress display around a piece of work. */
  private async step<T>(id: string, label: string, work: () => Promise<{ value: T; detail: string }>): Promise<T> {
    if (this.stopping !== undefined) throw new StartError('STOPPED', 'The start was interrupted.');
    this.progress.begin(id, label);
    try {
      const { value, detail } = await work();
      this.progress.done(id, detail);
      return value;
    } catch (error) {
      const interrupted = error instanceof StartError && error.code === 'STOPPED';
      this.progress.failed(id, interrupted ? 'stopped' : ((error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''));
      throw error;
    }
  }

  private describe(state: PreparedState, addresses: MeshAddresses): Mesh {
    const { processes } = this;
    return {
      gateway: { ws: `ws://127.0.0.1:${addresses.gatewayPort}`, http: `http://127.0.0.1:${addresses.gatewayPort}` },
      nats: addresses.natsUrl,
      token: state.token,
      tokenIsNew: state.tokenIsNew,
      stateDir: this.paths.root,
      clusterId: state.clusterId,
      integratorUrlFile: addresses.natsIsEmbedded ? this.paths.integratorUrl : undefined,
      databaseUrl: addresses.databaseUrl,
      get services() {
        return processes.services;
      },
      get pids() {
        return processes.pids;
      },
      kill: (name, signal = 'SIGKILL') => processes.kill(name, signal),
      restart: (name) => processes.restart(name, 4_000, READY_TIMEOUT_MS),
      whole: (timeoutMs) => processes.whole(timeoutMs),
      stop: () => this.stop(),
      force: () => processes.force(),
    };
  }

  private writeRecord(): void {
    const launcher = identify(process.pid);
    if (this.mesh === undefined || launcher === undefined || this.stopping !== undefined) return;
    const { gateway, nats, services } = this.mesh;
    writeMeshRecord(this.paths.root, {
      process: launcher,
      startedAt: this.startedAt,
      gateway,
      nats,
      services: services as Record<string, { pid: number; http: string | undefined }>,
    });
    this.lock?.annotate({ gateway: gateway.ws });
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  /** Sockets first, then those who work, then what they work on. What does not go by itself is killed, within one budget for everything. */
  private async stopInOrder(): Promise<void> {
    this.processes.seal();
    await this.natsWatch?.stop();
    await this.following?.stop();
    await this.channels?.stop();
    const deadline = performance.now() + STOP_BUDGET_MS;
    const halt = (name: MeshProcess, graceMs: number): Promise<void> =>
      this.processes.stop(name, Math.max(100, Math.min(graceMs, deadline - performance.now())));
    await halt('gateway', 3_500);
    await Promise.all([...SERVICES, ...CHANNEL_PROCESSES].map((name) => halt(name, 3_500)));
    if (this.state !== undefined) {
      const strays = await stopMarked(this.state.clusterId, 500);
      if (strays > 0) this.progress.note(`ended ${strays} process${strays === 1 ? '' : 'es'} that outlived the scheduler`);
    }
    await halt('postgres', 2_000);
    await halt('nats', 1_000);
    await this.orphans?.stop();
    if (this.lock === undefined) return;
    this.processes.close();
    removeMeshRecord(this.paths.root);
    this.lock.release();
  }
}
