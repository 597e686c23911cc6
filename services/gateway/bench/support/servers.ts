import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { prepareState } from '@plexus/local-stack';
import type { MemoryAnswer } from './memory-probe.ts';
import { connectTestBus, startTestNats, throwAwayFolder } from '@plexus/testing';

const here = import.meta.dirname;
/** Flags with which the launcher starts services, and a way to ask for their memory. */
const FLAGS = ['--no-warnings', '--max-semi-space-size=2', '--max-old-space-size=512', '--expose-gc', '--import', path.join(here, 'memory-probe.ts')];

export interface Running {
  readonly ws: string;
  readonly token: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** A gateway, and the connections of others who speak to it: routing, and push. */
export interface RunningGateway extends Running {
  readonly bus: Bus;
  readonly pushBus: Bus;
}

/** The built gateway on a NATS server of its own, with nothing behind it. */
export async function startGateway(env: Record<string, string> = {}): Promise<RunningGateway> {
  const folder = throwAwayFolder('gateway-bench');
  const state = await prepareState(folder.path, { PLEXUS_TOKEN: 'the-shared-token-of-this-benchmark' });
  const nats = await startTestNats({ users: state.natsUsers });
  const seed = readFileSync(state.paths.nkeySeed('operator'), 'utf8').trim();
  const operator = await connectTestBus(nats.url, { credentials: { nkeySeed: seed }, apply: true });
  await (await operator.kv(BUCKETS.config)).put('_', { tenants: { default: { defaultOwner: 'me', keys: [state.publicKey] } } });
  const as = (service: 'routing' | 'push') =>
    connectTestBus(nats.url, { service, credentials: { nkeySeed: readFileSync(state.paths.nkeySeed(service), 'utf8').trim() } });
  const [bus, pushBus] = await Promise.all([as('routing'), as('push')]);
  const settings = { NATS_URL: nats.url, NATS_NKEY_SEED_FILE: state.paths.nkeySeed('gateway'), GATEWAY_TOKEN_FILE: state.paths.token };
  const main = path.join(here, '../../dist/src/main.js');
  const started = await start(['--import', '@plexus/telemetry/register', main], {
    ...settings,
    GATEWAY_PORT: '0',
    GATEWAY_MAX_UNAUTHENTICATED: '2000',
    LOG_LEVEL: 'error',
    PLEXUS_PARENT_BOUND: '1',
    ...env,
  });
  const stop = async () => {
    await end(started.child);
    await Promise.all([operator.close(), bus.close(), pushBus.close()]);
    await nats.stop();
    folder.remove();
  };
  return { ...started, token: state.token, bus, pushBus, stop };
}

export async function startBareEcho(): Promise<Running> {
  const started = await start([path.join(here, 'bare-echo.ts')], {});
  return { ...started, token: '', stop: () => end(started.child) };
}

async function start(args: readonly string[], env: Record<string, string>): Promise<{ ws: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [...FLAGS, ...args], {
    cwd: path.join(here, '../..'),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { ws } = await new Promise<{ ws: string }>((resolve, reject) => {
    child.on(
      'message',
      (message: { type?: string; extra?: { ws: string } }) => message.type === 'ready' && message.extra !== undefined && resolve(message.extra),
    );
    child.once('exit', (code) => reject(new Error(`a process ended with ${code} before it was ready`)));
  });
  return { ws, child };
}

async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await exited;
}

/** What a process holds after its garbage is collected, in bytes, and how long it has worked, in ms. */
export function memoryOf(child: ChildProcess): Promise<MemoryAnswer['memory']> {
  return new Promise((resolve) => {
    const listener = (message: Partial<MemoryAnswer>) => {
      if (message.memory === undefined) return;
      child.off('message', listener);
      resolve(message.memory);
    };
    child.on('message', listener);
    child.send({ measure: true });
  });
}
