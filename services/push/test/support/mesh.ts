import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createUser } from '@nats-io/nkeys';
import { Module } from '@nestjs/common';
import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS, permissionsFor, type Principal, ROLES, SCOPES } from '@plexus/contracts';
import { createLogger, loadConfig, type RunningService, startService } from '@plexus/service-kit';
import { startTestNats, type TestNats, throwAwayFolder, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { pushService } from '../../src/push.service.js';

const packageFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Stands in for the gateway, the only one that may speak for users. */
@Module({})
class Nothing {}

/** NATS with the stream plan and two tenants, and the connection of a gateway to it. */
export interface TestMesh {
  readonly nats: TestNats;
  readonly gateway: Bus;
  user(name: string, rest?: Partial<Principal>): { readonly principal: Principal };
  readonly service: { readonly principal: Principal };
  /** What a service of that role connects with: its nkey when the server is guarded, nothing else. */
  credentialOf(role: string): Record<string, string>;
  stop(): Promise<void>;
}

/** `guarded`: every service connects with the nkey of its role and may do what the contracts let it do, as in every real mesh. */
export async function startTestMesh(options: { readonly guarded?: boolean } = {}): Promise<TestMesh> {
  const { users, seeds, credentialOf, remove } = options.guarded === true ? guard() : OPEN;
  const nats = await startTestNats(users === undefined ? {} : { users });
  const seed = seeds.get('operator');
  const admin = await connectBus({
    service: 'admin',
    servers: nats.url,
    allowAnonymous: true,
    ...(seed === undefined ? {} : { credentials: { nkeySeed: seed } }),
  });
  await applyStreams(admin, { maxBytesCap: 64 * 1024 * 1024 });
  await (await admin.kv(BUCKETS.config)).put('_', { tenants: { acme: {}, other: {} } });
  await admin.close();
  const gateway = await startQuietly(
    { name: 'gateway', config: z.object({}), needs: {}, create: async () => ({ module: Nothing }) },
    { NATS_URL: nats.url, ...credentialOf('gateway') },
  );
  const principal = { tenant: 'acme', scopes: [SCOPES.read, SCOPES.write], credentialId: 'test' };
  return {
    nats,
    gateway: gateway.context.bus,
    user: (name, rest = {}) => ({ principal: { ...principal, role: 'user', user: name, ...rest } }),
    service: { principal: { ...principal, role: 'service' } },
    credentialOf,
    stop: async () => {
      await gateway.stop('end of the test');
      await nats.stop();
      remove();
    },
  };
}

interface Guard {
  readonly users?: NonNullable<NonNullable<Parameters<typeof startTestNats>[0]>['users']>;
  readonly seeds: ReadonlyMap<string, string>;
  credentialOf(role: string): Record<string, string>;
  remove(): void;
}

const OPEN: Guard = { seeds: new Map(), credentialOf: () => ({}), remove: () => {} };

/** An nkey for each role, with its permissions. */
function guard(): Guard {
  const folder = throwAwayFolder('push-mesh');
  const seeds = new Map<string, string>();
  const user = (name: string, permissions?: ReturnType<typeof permissionsFor>) => {
    const pair = createUser();
    seeds.set(name, new TextDecoder().decode(pair.getSeed()));
    return { name, credential: { nkey: pair.getPublicKey() }, ...(permissions && { permissions }) };
  };
  const users = [user('operator'), ...ROLES.map((role) => user(role.name, permissionsFor(role)))];
  for (const [role, seed] of seeds) writeFileSync(path.join(folder.path, `${role}.nk`), seed, { mode: 0o600 });
  return { users, seeds, credentialOf: (role) => ({ NATS_NKEY_SEED_FILE: path.join(folder.path, `${role}.nk`) }), remove: () => folder.remove() };
}

type Definition = Parameters<typeof startService>[0];

async function startQuietly(definition: Definition, env: Record<string, string>): Promise<RunningService> {
  const config = loadConfig(definition.config, { LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: '5000', ...env });
  if (!config.ok) throw new Error(config.error.map(({ sentence }) => sentence).join('; '));
  const log = createLogger({ service: definition.name, instanceId: 'test', level: 'silent' });
  return startService(definition, { config: config.value, log });
}

/** Another service of the mesh, as its name and credential: what it answers is up to the test. */
export function startStandIn(mesh: TestMesh, role: 'routing' | 'memory'): Promise<RunningService> {
  return startQuietly(
    { name: role, config: z.object({}), needs: {}, create: async () => ({ module: Nothing }) },
    { NATS_URL: mesh.nats.url, ...mesh.credentialOf(role) },
  );
}

/** Partitions of a replica that was killed are free soon; a replica that merely pauses for a second keeps them only if nobody else is there. */
const LEASES = { PUSH_LEASE_MS: '1500', PUSH_RENEW_MS: '300' };

/** Push inside this process. */
export function startPush(mesh: TestMesh, databaseUrl: string, env: Record<string, string> = {}): Promise<RunningService> {
  return startQuietly(pushService as unknown as Definition, {
    NATS_URL: mesh.nats.url,
    DATABASE_URL: databaseUrl,
    ...LEASES,
    ...mesh.credentialOf('push'),
    ...env,
  });
}

/** Small young generations, as every start of the mesh uses them. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--max-old-space-size=256'];

/** Push as it is run for real: the compiled file in a process of its own. */
export class PushProcess {
  private output = '';
  private ready = false;
  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => this.keep(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.keep(chunk));
    child.on('message', (message) => {
      this.ready ||= (message as { type?: string }).type === 'ready';
    });
  }

  static async start(mesh: TestMesh, databaseUrl: string, env: Record<string, string> = {}): Promise<PushProcess> {
    const child = spawn(process.execPath, [...NODE_FLAGS, '--import', '@plexus/telemetry/register', 'dist/src/main.js'], {
      cwd: packageFolder,
      env: {
        PATH: process.env.PATH ?? '',
        OTEL_SERVICE_NAME: 'push',
        NATS_URL: mesh.nats.url,
        DATABASE_URL: databaseUrl,
        LOG_LEVEL: 'warn',
        ...LEASES,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new PushProcess(child);
    await waitFor(() => started.ready || child.exitCode !== null, { what: 'push to be ready', timeoutMs: 60_000 });
    if (child.exitCode !== null) throw new Error(`push ended with ${child.exitCode}: ${started.output}`);
    return started;
  }

  /** Resident memory in MiB. */
  residentMiB(): number {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1];
    return Number(kib) / 1_024;
  }

  /** Stops it from running, or lets it run on, as a machine does that swaps or is moved. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  get said(): string {
    return this.output;
  }

  /** Ends it as `signal` does and waits; gives the exit code, null after a signal's death. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', (code) => resolve(code)));
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    this.child.kill(signal);
    return exited;
  }

  private keep(chunk: Buffer): void {
    this.output = (this.output + chunk.toString()).slice(-16_384);
  }
}
