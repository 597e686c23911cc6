import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { BUCKETS } from '@plexus/contracts';
import { prepareState } from '@plexus/local-stack';
import { connectTestBus, startTestNats, throwAwayFolder } from '@plexus/testing';

/** Flags with which the launcher starts services. */
const FLAGS = ['--no-warnings', '--max-semi-space-size=2', '--max-old-space-size=512'];
const here = import.meta.dirname;

export interface Running {
  readonly ws: string;
  readonly token: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** The built gateway on a NATS server of its own, with nothing behind it. */
export async function startGateway(env: Record<string, string> = {}): Promise<Running> {
  const folder = throwAwayFolder('gateway-bench');
  const state = await prepareState(folder.path, { PLEXUS_TOKEN: 'the-shared-token-of-this-benchmark' });
  const nats = await startTestNats({ users: state.natsUsers });
  const seed = readFileSync(state.paths.nkeySeed('operator'), 'utf8').trim();
  const operator = await connectTestBus(nats.url, { credentials: { nkeySeed: seed }, apply: true });
  await (await operator.kv(BUCKETS.config)).put('_', { tenants: { default: { defaultOwner: 'me', keys: [state.publicKey] } } });
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
    await operator.close();
    await nats.stop();
    folder.remove();
  };
  return { ...started, token: state.token, stop };
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

/** Resident kibibytes of a process. */
export function resident({ pid }: ChildProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
