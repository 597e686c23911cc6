import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { OpenClawGateway } from './openclaw-gateway.mjs';

const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 4_000;
const RETRY_MS = 250;
const NOT_INSTALLED =
  'OpenClaw is not installed in this machine. Install it there with “npm install -g openclaw” (it needs Node 24.16 or newer), or set OPENCLAW_BIN to its program.';

export class OpenClawProblem extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
  }
}

/** One OpenClaw gateway process for this machine, started when it is first needed. */
export class OpenClaw {
  #options;
  #child;
  #gateway;
  #starting;
  #configText;
  #runs = new Map();

  constructor(options) {
    this.#options = options;
  }

  /** A connected gateway. Throws `OpenClawProblem`. With another configuration than it runs with it is started again, once no run is going on. */
  async ready(extraConfig = {}) {
    const text = JSON.stringify(extraConfig);
    if (this.#gateway && text !== this.#configText) {
      if (this.#runs.size > 0) this.#options.note('the changed openclaw_config counts when no run is going on');
      else await this.stop();
    }
    if (this.#gateway) return this.#gateway;
    this.#starting ??= this.#start(extraConfig, text).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  get running() {
    return this.#gateway;
  }

  /** `listener(event | undefined)` hears the `agent` events of a run; undefined when OpenClaw is gone. Returns what ends that. */
  listen(runId, listener) {
    this.#runs.set(runId, listener);
    return () => this.#runs.delete(runId);
  }

  async stop() {
    const child = this.#child;
    this.#gateway?.close();
    this.#lost();
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  async #start(extraConfig, text) {
    const { folder, env, proxy, note } = this.#options;
    const program = findOpenClaw(env, folder);
    if (!program) throw new OpenClawProblem('OPENCLAW_NOT_INSTALLED', NOT_INSTALLED);
    const home = path.join(folder, 'openclaw');
    const workspace = path.join(home, 'workspace');
    for (const one of [home, workspace, path.join(home, 'state')]) mkdirSync(one, { recursive: true, mode: 0o700 });
    const port = await freePort();
    const token = randomBytes(24).toString('base64url');
    const configPath = path.join(home, 'openclaw.json');
    writeFileSync(configPath, JSON.stringify(configuration(extraConfig, { port, token, workspace, proxy }), undefined, 2), { mode: 0o600 });
    const child = spawn(...program, {
      cwd: workspace,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...env,
        OPENCLAW_STATE_DIR: path.join(home, 'state'),
        OPENCLAW_CONFIG_PATH: configPath,
        OPENCLAW_SKIP_CHANNELS: '1',
        OPENCLAW_DISABLE_BONJOUR: '1',
        OPENCLAW_NO_AUTO_UPDATE: '1',
        NO_COLOR: '1',
      },
    });
    this.#child = child;
    this.#configText = text;
    let failure;
    child.on('error', (error) => {
      failure = error.message;
    });
    child.on('exit', (code, signal) => {
      failure ??= `it ended with ${signal ?? `code ${code}`}`;
      note(`openclaw ended with ${signal ?? `code ${code}`}`);
      if (this.#child === child) this.#lost();
    });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => this.#overhear(line));
    return this.#connect(`ws://127.0.0.1:${port}/`, token, () => failure);
  }

  async #connect(url, token, failure) {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      if (failure()) throw new OpenClawProblem('OPENCLAW_START_FAILED', `OpenClaw could not be started: ${failure()}. The runtime's log has what it said.`);
      try {
        const onEvent = (name, payload) => name === 'agent' && this.#runs.get(payload?.runId)?.(payload);
        this.#gateway = await OpenClawGateway.connect({ url, token, onEvent, onClose: () => this.#lost() });
        return this.#gateway;
      } catch (error) {
        if (performance.now() > deadline) {
          await this.stop();
          throw new OpenClawProblem('OPENCLAW_START_FAILED', `OpenClaw was not ready after ${START_TIMEOUT_MS / 1_000} s (${error.message}).`);
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Only what it says while it starts or stops: later on it prints answers, and a log is no place for those. */
  #overhear(line) {
    if (!this.#gateway && line.trim() !== '') this.#options.note(`openclaw: ${line}`);
  }

  #lost() {
    this.#gateway = undefined;
    for (const listener of [...this.#runs.values()]) listener(undefined);
  }
}

/** What the session's own configuration says, except for what the bridge depends on. */
function configuration(extra, { port, token, workspace, proxy }) {
  const { agents, models, gateway, logging, ...rest } = extra;
  const plexus = { baseUrl: proxy.baseUrl, apiKey: proxy.token, api: 'openai-completions', models: [{ id: 'none', name: 'none' }] };
  return {
    ...rest,
    logging: { file: path.join(workspace, '..', 'openclaw.log'), ...logging },
    gateway: { ...gateway, mode: 'local', bind: 'loopback', port, auth: { mode: 'token', token } },
    agents: { ...agents, defaults: { skipBootstrap: true, model: { primary: 'plexus/none' }, ...agents?.defaults, workspace } },
    models: { mode: 'replace', ...models, providers: { ...models?.providers, plexus } },
  };
}

/** `[program, arguments]`, or undefined when OpenClaw is not installed. */
function findOpenClaw(env, folder) {
  const folders = (env.PATH ?? '').split(path.delimiter).filter((one) => path.isAbsolute(one));
  const candidates = env.OPENCLAW_BIN ? [env.OPENCLAW_BIN] : [...folders, path.join(folder, 'node_modules/.bin')].map((one) => path.join(one, 'openclaw'));
  for (const candidate of candidates) {
    try {
      const file = realpathSync(candidate);
      const isScript = /\.[cm]?js$/.test(file);
      accessSync(file, isScript ? constants.R_OK : constants.X_OK);
      return isScript ? [process.execPath, [file, 'gateway', 'run']] : [file, ['gateway', 'run']];
    } catch {
      // Not there: the next one.
    }
  }
  return undefined;
}

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
