import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS, type Principal, SCOPES } from '@plexus/contracts';
import { createLogger, loadConfig, type RunningService, startService } from '@plexus/service-kit';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { memoryService } from '../../src/memory.service.js';

const packageFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
/** Small young generations, as every start of the mesh uses them. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--max-old-space-size=256'];

/** Stands in for the gateway, the only one that may speak for users. */
@Module({})
class Nothing {}

/** NATS with the stream plan and two tenants, and the connection of a gateway to it. */
export interface TestMesh {
  readonly nats: TestNats;
  readonly gateway: Bus;
  user(name: string, rest?: Partial<Principal>): { readonly principal: Principal };
  readonly service: { readonly principal: Principal };
  stop(): Promise<void>;
}

export async function startTestMesh(): Promise<TestMesh> {
  const nats = await startTestNats();
  const admin = await connectBus({ service: 'admin', servers: nats.url, allowAnonymous: true });
  await applyStreams(admin, { maxBytesCap: 64 * 1024 * 1024 });
  await (await admin.kv(BUCKETS.config)).put('_', { tenants: { acme: {}, other: {} } });
  await admin.close();
  const gateway = await startQuietly({ name: 'gateway', config: z.object({}), needs: {}, create: async () => ({ module: Nothing }) }, { NATS_URL: nats.url });
  const principal = { tenant: 'acme', scopes: [SCOPES.read, SCOPES.write], credentialId: 'test' };
  return {
    nats,
    gateway: patient(gateway.context.bus),
    user: (name, rest = {}) => ({ principal: { ...principal, role: 'user', user: name, ...rest } }),
    service: { principal: { ...principal, role: 'service' } },
    stop: async () => {
      await gateway.stop('end of the test');
      await nats.stop();
    },
  };
}

/** Service and caller share this process: whoever stalls it holds up both, and a call's own limit of some seconds would be a matter of luck. */
function patient(bus: Bus): Bus {
  const [call, publish] = [bus.call.bind(bus), bus.publish.bind(bus)];
  const timeoutMs = 120_000;
  return Object.assign(bus, {
    call: ((rpc, tenant, data, options) => call(rpc, tenant, data, { timeoutMs, ...options })) as Bus['call'],
    publish: ((contract, event, options) => publish(contract, event, { timeoutMs, ...options })) as Bus['publish'],
  });
}

type Definition = Parameters<typeof startService>[0];

async function startQuietly(definition: Definition, env: Record<string, string>): Promise<RunningService> {
  const config = loadConfig(definition.config, { LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: '60000', ...env });
  if (!config.ok) throw new Error(config.error.map(({ sentence }) => sentence).join('; '));
  const log = createLogger({ service: definition.name, instanceId: 'test', level: 'silent' });
  return startService(definition, { config: config.value, log });
}

/** Memory inside this process; by words only, unless told otherwise. */
export function startMemory(mesh: TestMesh, databaseUrl: string, env: Record<string, string> = { MEMORY_EMBEDDER: 'none' }): Promise<RunningService> {
  return startQuietly(memoryService as unknown as Definition, { NATS_URL: mesh.nats.url, MEMORY_DATABASE_URL: databaseUrl, MEMORY_MIGRATE: '1', ...env });
}

/** Memory as it is run for real: the compiled file in a process of its own. */
export class MemoryProcess {
  private output = '';
  private ready = false;
  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => this.keep(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.keep(chunk));
    child.on('message', (message) => {
      this.ready ||= (message as { type?: string }).type === 'ready';
    });
  }

  static async start(mesh: TestMesh, databaseUrl: string, env: Record<string, string> = {}): Promise<MemoryProcess> {
    const child = spawn(process.execPath, [...NODE_FLAGS, '--import', '@plexus/telemetry/register', 'dist/src/main.js'], {
      cwd: packageFolder,
      env: { PATH: process.env.PATH ?? '', OTEL_SERVICE_NAME: 'memory', NATS_URL: mesh.nats.url, MEMORY_DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const started = new MemoryProcess(child);
    await waitFor(() => started.ready || child.exitCode !== null, { what: 'memory to be ready', timeoutMs: 120_000 });
    if (child.exitCode !== null) throw new Error(`memory ended with ${child.exitCode}: ${started.output}`);
    return started;
  }

  /** Resident memory in MiB. */
  residentMiB(): number {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1];
    return Number(kib) / 1_024;
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
