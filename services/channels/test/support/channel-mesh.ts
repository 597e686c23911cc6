import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createUser } from '@nats-io/nkeys';
import { applyStreams, type Bus, connectBus, type OrderedReading } from '@plexus/bus';
import { BUCKETS, type channelContracts, permissionsFor, ROLES, type RoleDefinition, sendCommandFor } from '@plexus/contracts';
import { createLogger, loadConfig, type RunningService, startService } from '@plexus/service-kit';
import { startTestNats, type TestNats, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import type { ChannelAdapter } from '../../src/kit/channel-adapter.js';
import { channelService } from '../../src/kit/channel-service.js';

const packageFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

type Send = channelContracts.ChannelSend;

/** An event of an adapter as the stream has it. */
export interface ChannelEvent {
  readonly subject: string;
  readonly name: string;
  readonly tenant: string;
  readonly source: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into data of several contracts
  readonly data: any;
}

/** NATS with the permissions of every role, tenants `acme` and `other`, and what adapters have said so far. */
export class ChannelMesh {
  readonly events: ChannelEvent[] = [];
  private readonly running: RunningService[] = [];
  private readonly processes: AdapterProcess[] = [];
  private platformsUrl: string | undefined;
  private reading: OrderedReading | undefined;

  private constructor(
    readonly nats: TestNats,
    readonly operator: Bus,
    private readonly folder: ThrowAwayFolder,
    private readonly seeds: ReadonlyMap<string, string>,
  ) {}

  static async start(roles: readonly RoleDefinition[] = []): Promise<ChannelMesh> {
    const folder = throwAwayFolder('channels');
    const seeds = new Map<string, string>();
    const user = (name: string, permissions?: ReturnType<typeof permissionsFor>) => {
      const pair = createUser();
      seeds.set(name, new TextDecoder().decode(pair.getSeed()));
      return { name, credential: { nkey: pair.getPublicKey() }, ...(permissions && { permissions }) };
    };
    const nats = await startTestNats({ users: [user('operator'), ...[...ROLES, ...roles].map((role) => user(role.name, permissionsFor(role)))] });
    const operator = await connectBus({
      service: 'operator',
      servers: nats.url,
      credentials: { nkeySeed: seeds.get('operator') as string },
      allowAnonymous: true,
    });
    await applyStreams(operator, { maxBytesCap: 16 * 1024 * 1024 });
    if (roles.length > 0) await applyStreams(operator, { need: { consumers: roles.flatMap(({ consumes }) => consumes) } });
    await (await operator.kv(BUCKETS.config)).put('_', { tenants: { acme: {}, other: {} } });
    for (const [role, seed] of seeds) writeFileSync(path.join(folder.path, `${role}.nk`), seed, { mode: 0o600 });
    const mesh = new ChannelMesh(nats, operator, folder, seeds);
    mesh.reading = operator.readOrdered('PLEXUS_IN', { filter: 'plexus.in.>', from: 'all' }, (message) => {
      const { tenant, domain, name } = message.parsed as NonNullable<typeof message.parsed>;
      const { id, data } = message.json<{ id: string; data: unknown }>();
      mesh.events.push({ subject: message.subject, name, tenant, source: domain, id, data });
    });
    await mesh.reading.ready;
    return mesh;
  }

  /** Writes a secret file and returns the reference to it. */
  secret(name: string, value: string): { file: string } {
    const file = path.join(this.folder.path, name);
    writeFileSync(file, `${value}\n`, { mode: 0o600 });
    return { file };
  }

  /** Replaces the channels of a tenant. */
  async configure(channels: Record<string, unknown>, tenant = 'acme'): Promise<void> {
    await (await this.operator.kv(BUCKETS.config)).put(tenant, { channels });
  }

  /** The adapter in this process, with the credentials of its role. */
  async run(adapter: ChannelAdapter, env: Record<string, string> = {}): Promise<RunningService> {
    const definition = channelService(adapter);
    const config = loadConfig(definition.config, { LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: '5000', ...this.environment(adapter.adapter), ...env });
    if (!config.ok) throw new Error(config.error.map(({ sentence }) => sentence).join('; '));
    const keep = (line: string): void => {
      const { message, url } = JSON.parse(line) as { message?: string; url?: string };
      if (message === 'listening for platforms') this.platformsUrl = url;
    };
    const log = createLogger({ service: definition.name, instanceId: 'test', level: 'info', destination: { write: keep } });
    const service = await startService(definition, { config: config.value, log });
    this.running.push(service as never);
    return service as never;
  }

  /** Where platforms reach the adapter that was run last; it listens as soon as an account needs that. */
  platforms(): Promise<string> {
    return waitFor(() => this.platformsUrl, { what: 'the adapter to listen for platforms' });
  }

  /** The adapter as it is run for real: the compiled file in a process of its own. */
  async spawn(adapter: string, env: Record<string, string> = {}): Promise<AdapterProcess> {
    const started = await AdapterProcess.start(adapter, { ...this.environment(adapter), ...env });
    this.processes.push(started);
    return started;
  }

  async send(adapter: string, send: Partial<Send> & Pick<Send, 'sendId' | 'to'>, tenant = 'acme'): Promise<void> {
    const data = { attempt: 1, account: 'main', text: 'Hello', ...send };
    await this.operator.publish(sendCommandFor(adapter), { tenant, key: [data.account], data, msgId: null });
  }

  /** Waits for the n-th event (from 1) of that name that fits. */
  async event(name: string, fits: (event: ChannelEvent) => boolean = () => true, n = 1): Promise<ChannelEvent> {
    const matching = () => this.events.filter((event) => event.name === name && fits(event));
    return waitFor(() => matching()[n - 1], {
      what: `${name} no. ${n}; seen: ${JSON.stringify(this.events.slice(-10).map((each) => [each.name, each.data]))}`,
    });
  }

  outcome(sendId: string, attempt = 1): Promise<ChannelEvent> {
    return waitFor(() => this.events.find(({ name, data }) => name.startsWith('send-') && data.sendId === sendId && data.attempt === attempt), {
      what: `the outcome of ${sendId}/${attempt}; seen: ${JSON.stringify(this.events.slice(-10).map((each) => [each.name, each.data]))}`,
    });
  }

  state(account: string, state: string, n = 1): Promise<ChannelEvent> {
    return this.event('account-state', ({ tenant, data }) => tenant === 'acme' && data.account === account && data.state === state, n);
  }

  /** Connected with the credentials of a role. */
  as(role: string): Promise<Bus> {
    return connectBus({ service: role, servers: this.nats.url, credentials: { nkeySeed: this.seeds.get(role) as string }, allowAnonymous: true });
  }

  async stopAdapters(): Promise<void> {
    await Promise.all([...this.running.splice(0).map((one) => one.stop('end of the test')), ...this.processes.splice(0).map((one) => one.end())]);
  }

  async stop(): Promise<void> {
    await this.stopAdapters();
    await this.reading?.stop();
    await this.operator.close();
    await this.nats.stop();
    this.folder.remove();
  }

  private environment(adapter: string): Record<string, string> {
    return {
      NATS_URL: this.nats.url,
      NATS_NKEY_SEED_FILE: path.join(this.folder.path, `channel-${adapter}.nk`),
      CHANNEL_PRIVATE_HOSTS: '127.0.0.1',
      CHANNEL_RETRY_CAP_MS: '200',
    };
  }
}

export class AdapterProcess {
  http = '';
  private output = '';
  private constructor(private readonly child: ChildProcess) {
    const keep = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-16_384);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('message', (message: { type?: string; http?: string }) => {
      if (message.type === 'ready') this.http = message.http ?? 'ready';
    });
  }

  static async start(adapter: string, env: Record<string, string>): Promise<AdapterProcess> {
    const child = spawn(process.execPath, [`dist/src/${adapter}/main.js`], {
      cwd: packageFolder,
      env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new AdapterProcess(child);
    await waitFor(() => started.http !== '' || child.exitCode !== null, { what: `${adapter} to be ready` });
    if (child.exitCode !== null) throw new Error(`${adapter} ended with ${child.exitCode}: ${started.output}`);
    return started;
  }

  get log(): string {
    return this.output;
  }

  /** Ends it as `signal` does and waits. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await exited;
  }
}
