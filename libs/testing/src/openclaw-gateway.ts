import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { throwAwayFolder } from './throw-away-folder.js';
import { waitFor } from './wait-for.js';

export interface OpenClawGateway {
  readonly ws: string;
  readonly token: string;
  readonly pid: number;
  /** From spawn until it said that it is ready, in ms. */
  readonly startMs: number;
  /** Ends it and starts it again on the same port and state. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

/** A gateway of the published package takes some 20 s to start, most of a minute on a busy machine. */
const START_MS = 240_000;

/** A real OpenClaw gateway on a free port with a state folder of its own, whose only model is the OpenAI-compatible endpoint given. */
export async function startOpenClawGateway(program: string, modelBaseUrl: string): Promise<OpenClawGateway> {
  const folder = throwAwayFolder('openclaw');
  const workspace = path.join(folder.path, 'workspace');
  const state = path.join(folder.path, 'state');
  for (const one of [workspace, state]) mkdirSync(one, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const token = randomBytes(24).toString('base64url');
  const config = path.join(folder.path, 'openclaw.json');
  writeFileSync(
    config,
    JSON.stringify({
      logging: { file: path.join(folder.path, 'openclaw.log') },
      gateway: { mode: 'local', bind: 'loopback', port, auth: { mode: 'token', token } },
      agents: { defaults: { skipBootstrap: true, model: { primary: 'fake/fake' }, workspace } },
      models: {
        mode: 'replace',
        providers: { fake: { baseUrl: modelBaseUrl, apiKey: 'none', api: 'openai-completions', models: [{ id: 'fake', name: 'fake' }] } },
      },
    }),
    { mode: 0o600 },
  );
  let child: ChildProcess;
  let startMs = 0;
  const start = async (): Promise<void> => {
    const begun = performance.now();
    let said = '';
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder.path,
      OPENCLAW_STATE_DIR: state,
      OPENCLAW_CONFIG_PATH: config,
      OPENCLAW_SKIP_CHANNELS: '1',
      OPENCLAW_DISABLE_BONJOUR: '1',
      OPENCLAW_NO_AUTO_UPDATE: '1',
      NO_COLOR: '1',
    };
    child = spawn(program, ['gateway', 'run'], { cwd: workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said = `${said}${data}`.slice(-4_000)));
    await waitFor(
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`openclaw ended while it started: ${said}`);
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        await answer?.body?.cancel();
        return answer?.ok === true;
      },
      { what: 'openclaw to be ready', timeoutMs: START_MS },
    );
    startMs = performance.now() - begun;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  };
  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    folder.remove();
    throw error;
  }
  return {
    ws: `ws://127.0.0.1:${port}`,
    token,
    get pid() {
      return child.pid as number;
    },
    get startMs() {
      return startMs;
    },
    restart: async (signal = 'SIGTERM') => {
      await end(signal);
      await start();
    },
    stop: async () => {
      await end('SIGTERM');
      folder.remove();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
