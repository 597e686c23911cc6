import { mkdirSync } from 'node:fs';
import path from 'node:path';
import {
  CLUSTER_MARKER,
  endProcess,
  findByEnvironment,
  freePort,
  migrateMeshDatabase,
  type PreparedState,
  prepareState,
  RotatingLog,
} from '@plexus/local-stack';
import { type Integrator, integratorsOf, integratorUsers, seedMesh } from './mesh-seed.js';
import { NatsCluster } from './nats-cluster.js';
import { ChaosPostgres } from './postgres.js';
import { Replica } from './replica.js';
import { type ScriptedModel, startScriptedModel } from './scripted-model.js';
import { CHAOS_SERVICES, type ChaosService, settingsOf } from './service-settings.js';
import { TcpProxy } from './tcp-proxy.js';

export interface ChaosMeshOptions {
  readonly dir: string;
  /** Checkout whose build is run. */
  readonly root: string;
  readonly tenants: readonly string[];
  readonly replicas: number;
  readonly natsNodes: number;
  /** Lease times are multiplied by this. */
  readonly slow: number;
  readonly logLevel?: string;
  readonly note: (line: string) => void;
}

const READY_TIMEOUT_MS = 90_000;

/** A whole production-like mesh on one machine: every service with its replicas as processes, a NATS cluster, Postgres, with a proxy on every line between them. */
export class ChaosMesh {
  private readonly proxies: TcpProxy[] = [];
  private readonly logs: RotatingLog[] = [];
  readonly replicas: Replica[] = [];
  readonly integrators: readonly Integrator[];
  state!: PreparedState;
  nats!: NatsCluster;
  postgres!: ChaosPostgres;
  /** The balancer in front of the gateways, for clients, and another one for VMs. */
  clients!: TcpProxy;
  vms!: TcpProxy;
  private model: ScriptedModel | undefined;
  private trimming: NodeJS.Timeout | undefined;
  private gatewayPorts: readonly number[] = [];

  private constructor(readonly options: ChaosMeshOptions) {
    this.integrators = integratorsOf(options.tenants);
  }

  static async start(options: ChaosMeshOptions): Promise<ChaosMesh> {
    const mesh = new ChaosMesh(options);
    try {
      await mesh.run();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  get clientUrl(): string {
    return `ws://127.0.0.1:${this.clients.port}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.clients.port}`;
  }

  /** Straight to the nats-servers, for whoever observes. */
  get natsUrl(): string {
    return this.nats.ports.map((port) => `nats://127.0.0.1:${port}`).join(',');
  }

  /** Memory keeps its vectors inside its process where Postgres has none, and can have one replica only. */
  get memoryReplicas(): number {
    return this.postgres.hasVectors ? this.options.replicas : 1;
  }

  of(service: string): readonly Replica[] {
    return this.replicas.filter((replica) => replica.service === service);
  }

  replica(name: string): Replica {
    const found = this.replicas.find((replica) => replica.name === name);
    if (found === undefined) throw new Error(`there is no replica ${name}`);
    return found;
  }

  /** Processes of VMs that run now. */
  get runtimes(): ReturnType<typeof findByEnvironment> {
    const services = new Set(this.replicas.map(({ pid }) => pid));
    return findByEnvironment(CLUSTER_MARKER, this.state.clusterId).filter(({ pid }) => !services.has(pid));
  }

  /** Settles when every replica is ready. */
  async whole(timeoutMs: number): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.ready(timeoutMs)));
  }

  private async run(): Promise<void> {
    const { dir, tenants, natsNodes, note } = this.options;
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    this.state = await prepareState(path.join(dir, 'state'));
    const log = (name: string): RotatingLog => {
      const file = new RotatingLog(this.state.paths.log(name));
      this.logs.push(file);
      return file;
    };
    const natsLogs = Array.from({ length: natsNodes }, (_, at) => log(`nats-${at + 1}`));
    const postgresLog = log('postgres');
    this.nats = await NatsCluster.start({
      dir: path.join(dir, 'nats'),
      size: natsNodes,
      users: [...this.state.natsUsers, ...integratorUsers(this.integrators)],
      onLog: (node, text) => natsLogs[node - 1]?.write(text),
    });
    note(`${natsNodes} nats-servers run`);
    this.postgres = await ChaosPostgres.start(path.join(dir, 'postgres'), (text) => postgresLog.write(text));
    await migrateMeshDatabase(this.postgres.url());
    await seedMesh(this.natsUrl, this.state, tenants, natsNodes);
    note(`Postgres runs, streams with ${natsNodes} copies each are there`);
    this.model = await startScriptedModel();
    await this.startServices();
    this.trimming = setInterval(() => {
      for (const file of [...this.logs, ...this.replicas.map((replica) => ({ trim: () => replica.trimLog() }))]) file.trim();
    }, 5_000).unref();
    note(`${this.replicas.length} replicas are ready`);
  }

  private async startServices(): Promise<void> {
    const { replicas } = this.options;
    this.gatewayPorts = await Promise.all(Array.from({ length: replicas }, () => freePort()));
    this.clients = await this.proxy(this.gatewayPorts);
    this.vms = await this.proxy(this.gatewayPorts);
    for (const service of CHAOS_SERVICES) {
      const count = service === 'memory' ? this.memoryReplicas : replicas;
      for (let index = 1; index <= count; index += 1) this.replicas.push(await this.makeReplica(service, index));
    }
    // The first of each service, then the second ones: what only one may do at the start, like migrations of memory, is done by then.
    for (let index = 0; index < replicas; index += 1) {
      await Promise.all(CHAOS_SERVICES.flatMap((service) => this.of(service)[index]?.start() ?? []));
    }
  }

  private async makeReplica(service: ChaosService, index: number): Promise<Replica> {
    const { state, postgres } = this;
    const name = `${service}-${index}`;
    const natsLanes = await Promise.all(this.nats.ports.map((port) => this.proxy([port])));
    const needsDatabase = service !== 'gateway' && (service !== 'memory' || postgres.hasVectors);
    const databaseLane = needsDatabase ? await this.proxy([postgres.port]) : undefined;
    const databaseUrl = databaseLane && postgres.url(databaseLane.port);
    const { paths } = state;
    const env = settingsOf(service, {
      stateDir: paths.root,
      clusterId: state.clusterId,
      natsUrls: natsLanes.map(({ port }) => `nats://127.0.0.1:${port}`),
      seedFile: paths.nkeySeed(service),
      databaseUrl,
      memoryUrl: databaseUrl ?? `pglite:${paths.memory}`,
      gatewayPort: this.gatewayPorts[index - 1],
      files: { token: paths.token, masterKey: paths.masterKey, vmTokenSecret: paths.vmTokenSecret },
      vmGateway: `ws://127.0.0.1:${this.vms.port}/ws/vm`,
      modelUrl: this.model?.baseUrl ?? '',
      slow: this.options.slow,
      logLevel: this.options.logLevel ?? 'info',
    });
    const onChange = (what: string): void => this.options.note(what);
    const { root } = this.options;
    return new Replica({ name, service, root, env, logFile: paths.log(name), natsLanes, databaseLane, readyTimeoutMs: READY_TIMEOUT_MS, onChange });
  }

  private async proxy(targets: readonly number[]): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(targets);
    this.proxies.push(proxy);
    return proxy;
  }

  /** Sockets first, then those who work, then what they work on. */
  async stop(): Promise<void> {
    clearInterval(this.trimming);
    for (const proxy of this.proxies) {
      proxy.delay(0);
      proxy.stall(false);
    }
    await Promise.allSettled(this.of('gateway').map((replica) => replica.stop(4_000)));
    await Promise.allSettled(this.replicas.filter(({ service }) => service !== 'gateway').map((replica) => replica.stop(4_000)));
    if (this.state !== undefined) await Promise.all(this.runtimes.map((process) => endProcess(process, { graceMs: 500 })));
    await Promise.allSettled([this.postgres?.stop(), this.nats?.stop(), this.model?.stop(), ...this.proxies.map((proxy) => proxy.stop())]);
    for (const log of this.logs) log.close();
  }
}
