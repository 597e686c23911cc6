import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Environment } from './config.js';
import { type Mesh, startMesh } from './mesh.js';
import { withoutPassword } from './without-password.js';
import { stateDirFrom } from './mesh-settings.js';
import { StartError } from './start-error.js';
import { statePaths } from './state-paths.js';
import { type Screen, TerminalProgress } from './terminal-progress.js';

const HELP = `npm start -- [--json] [--fresh] [--state <folder>] [--config <file>]

  --json            print one JSON line on stdout when everything is ready; the rest goes to stderr
  --fresh           forget the state folder's data and credentials first
  --state <folder>  state folder (default: PLEXUS_STATE_DIR, else .plexus)
  --config <file>   configuration (JSON5) to follow (default: plexus.json5 in the state folder, when it is there)

PLEXUS_GATEWAY_PORT (default 18789, 0 = any free port), PLEXUS_TOKEN (default: minted at the first start),
NATS_URL, DATABASE_URL, MEMORY_DATABASE_URL (use servers of yours), PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL, PLEXUS_MODEL_API_KEY (else agents echo)
`;

export interface StartCommandIo {
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Settles at each request to stop, with the signal's name. Called again for the next one. */
  readonly nextSignal: () => Promise<NodeJS.Signals>;
}

/** A second signal this soon is the same key press: the terminal sends one to npm and to us, and npm passes its own on. */
const SAME_KEY_PRESS_MS = 1_500;

/**
 * `npm start`: starts the mesh, says where it is, runs until a signal, stops it. Returns the exit code: 0 after an orderly stop,
 * 1 when the start failed (the reason is on stderr), 2 for wrong arguments.
 */
export async function startCommand(args: readonly string[], env: Environment, io: StartCommandIo): Promise<number> {
  let options: { json?: boolean; fresh?: boolean; state?: string; config?: string; help?: boolean };
  try {
    options = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        fresh: { type: 'boolean' },
        state: { type: 'string' },
        config: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    io.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options.help === true) {
    io.stdout.write(HELP);
    return 0;
  }
  const json = options.json === true;
  const display = json ? io.stderr : io.stdout;
  const progress = new TerminalProgress(display);
  const interrupt = new AbortController();
  const firstSignal = io.nextSignal().then((signal) => {
    interrupt.abort();
    return signal;
  });
  const begunAt = performance.now();
  let mesh: Mesh;
  try {
    mesh = await startMesh({
      env,
      stateDir: options.state === undefined ? stateDirFrom(env) : path.resolve(options.state),
      fresh: options.fresh === true,
      ...(options.config === undefined ? {} : { configFile: path.resolve(options.config) }),
      progress,
      signal: interrupt.signal,
    });
  } catch (error) {
    progress.close();
    if (interrupt.signal.aborted) {
      io.stderr.write('Stopped before it was up.\n');
      return 0;
    }
    io.stderr.write(`\nPlexus could not start.\n${describe(error)}\n`);
    return 1;
  }
  if (json) io.stdout.write(`${JSON.stringify(readyLine(mesh))}\n`);
  display.write(summary(mesh, env, (performance.now() - begunAt) / 1_000));

  const signal = await firstSignal;
  display.write(`\n${signal}: stopping\n`);
  const stopBegunAt = performance.now();
  const stopped = mesh.stop();
  void (async () => {
    for (;;) {
      await io.nextSignal();
      if (performance.now() - stopBegunAt > SAME_KEY_PRESS_MS) mesh.force();
    }
  })();
  await stopped;
  progress.close();
  display.write(`Everything is stopped (${((performance.now() - stopBegunAt) / 1_000).toFixed(1)} s).\n`);
  return 0;
}

/** What `--json` prints: the address of everything a program needs to talk to the mesh. */
export function readyLine(mesh: Mesh): Record<string, unknown> {
  return { ready: true, gateway: mesh.gateway, nats: mesh.nats, token: mesh.token, pid: process.pid, services: mesh.services };
}

/** With the token where that is shown anyway: behind `#`, which no browser sends to a server and no server writes into a log. */
function consoleAddress(mesh: Mesh): string {
  return mesh.tokenIsNew ? `${mesh.gateway.http}/#token=${encodeURIComponent(mesh.token)}` : `${mesh.gateway.http}/`;
}

function summary(mesh: Mesh, env: Environment, seconds: number): string {
  const paths = statePaths(mesh.stateDir);
  const short = (file: string): string => {
    const relative = path.relative(process.cwd(), file);
    return relative.startsWith('..') ? file : relative;
  };
  const lines = [
    '',
    `Plexus is up (${seconds.toFixed(1)} s).`,
    '',
    `  console  ${consoleAddress(mesh)}`,
    `  gateway  ${mesh.gateway.ws}  ${mesh.gateway.http}`,
    `  token    ${mesh.tokenIsNew ? `${mesh.token}  (shown once; kept in ${short(paths.token)})` : `in ${short(paths.token)}`}`,
    `  NATS     ${withoutPassword(mesh.nats)}`,
    `  logs     ${short(paths.logs)}/<service>.log`,
    '',
  ];
  if (mesh.integratorUrlFile !== undefined) {
    lines.push(
      'A NATS client of yours publishes events as source "demo" of tenant "default":',
      `  nats --server "$(cat ${short(mesh.integratorUrlFile)})" pub plexus.in.default.demo.<name>.v1.<key> '<CloudEvent as JSON>'`,
      `  (or with the nkey seed in ${short(paths.nkeySeed('demo'))}; it may also subscribe to plexus.evt.default.>)`,
      '',
    );
  }
  if (!env.PLEXUS_MODEL_BASE_URL) lines.push('No model is set (PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL): agents say so and echo.', '');
  lines.push(
    'Next:  npm run demo        plays a message, an event and a memory through it',
    '       npx plexus status   shows how it is doing',
    '',
    'Ctrl-C stops everything.',
    '',
  );
  return lines.join('\n');
}

function describe(error: unknown): string {
  if (error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
