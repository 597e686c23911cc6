import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import {
  findNatsServer,
  freePort,
  identify,
  type Mesh,
  type ProcessIdentity,
  readMeshRecord,
  startMesh,
  startNatsServer,
  startPostgres,
  statePaths,
  waitUntilGone,
} from '../src/index.js';
import { executable, scratchFolder } from './scratch.js';

const library = pathToFileURL(path.join(import.meta.dirname, '../dist/src/index.js')).href;
const ENV = { PATH: process.env.PATH, HOME: process.env.HOME };

interface Launcher {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Settles with the first line that is JSON. */
  readonly ready: Promise<{ pids: Record<string, number> }>;
}

const launchers: Launcher[] = [];

/** A launcher of its own: the embedded servers, streams and migrations, no service. */
function launch(stateDir: string): Launcher {
  const script = `
    import { startMesh } from ${JSON.stringify(library)};
    const progress = { begin() {}, update() {}, done() {}, failed() {}, note: (line) => console.log(line) };
    try {
      const mesh = await startMesh({ stateDir: ${JSON.stringify(stateDir)}, gatewayPort: 0, only: [], progress });
      process.on('SIGTERM', async () => { await mesh.stop(); process.exit(0); });
      console.log(JSON.stringify({ pids: mesh.pids }));
    } catch (error) {
      console.log(error.code + ': ' + error.message);
      process.exit(1);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'], env: ENV });
  const lines: string[] = [];
  const ready = new Promise<{ pids: Record<string, number> }>((resolve, reject) => {
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const whole = (rest + text).split('\n');
      rest = whole.pop() ?? '';
      lines.push(...whole);
      const json = lines.find((line) => line.startsWith('{'));
      if (json !== undefined) resolve(JSON.parse(json));
    });
    child.once('close', () => reject(new Error(`the launcher ended: ${lines.join('\n')}`)));
  });
  ready.catch(() => {}); // awaited by those who care
  const launcher = { child, lines, ready };
  launchers.push(launcher);
  return launcher;
}

afterEach(async () => {
  for (const { child } of launchers.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

function identities(pids: Record<string, number>): ProcessIdentity[] {
  return Object.values(pids).flatMap((pid) => identify(pid) ?? []);
}

describe('a mesh', () => {
  it('that runs already makes a second start on the same state end with who runs it, and lives on', async () => {
    const state = path.join(scratchFolder(), 'state');
    const first = launch(state);
    const { pids } = await first.ready;
    expect(readMeshRecord(state)).toMatchObject({ process: { pid: first.child.pid } });
    const second = launch(state);
    const [code] = await once(second.child, 'close');
    expect(code).toBe(1);
    expect(second.lines.join('\n')).toContain('ALREADY_RUNNING');
    expect(second.lines.join('\n')).toMatch(new RegExp(`already running .*pid ${first.child.pid}, gateway at ws://127`));
    expect(identities(pids)).toHaveLength(2);
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    expect(identities(pids)).toEqual([]);
    expect(readMeshRecord(state)).toBeUndefined();
    expect(existsSync(statePaths(state).lock)).toBe(false);
  });

  it('whose launcher was killed leaves no server behind, and starts again with its data on the same addresses', async () => {
    const state = path.join(scratchFolder(), 'state');
    const first = launch(state);
    const { pids } = await first.ready;
    const before = identities(pids);
    const ports = readFileSync(statePaths(state).ports, 'utf8');
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    expect(await Promise.all(before.map((identity) => waitUntilGone(identity, 60_000)))).toEqual([true, true]);
    const mesh = await startMesh({ stateDir: state, gatewayPort: 0, only: [], env: ENV });
    expect(readFileSync(statePaths(state).ports, 'utf8')).toBe(ports);
    await mesh.stop();
  });

  it('whose servers survived a killed launcher stops them first and says so', async () => {
    const state = path.join(scratchFolder(), 'state');
    const first = launch(state);
    const { pids } = await first.ready;
    const before = identities(pids);
    // Without their guards nobody tells the servers that the launcher is gone.
    const guards = before.flatMap(({ pid }) => [...childrenOf(parentOf(pid)).filter((child) => child !== pid), parentOf(pid)]);
    for (const guard of guards) process.kill(guard, 'SIGSTOP');
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    for (const guard of guards) process.kill(guard, 'SIGKILL');
    expect(identities(pids)).toEqual(before);
    const second = launch(state);
    await second.ready;
    expect(identities(pids)).toEqual([]);
    expect(second.lines.join('\n')).toMatch(/an earlier start was killed; stopped what it left behind: (nats, postgres|postgres, nats)/);
    second.child.kill('SIGTERM');
    await once(second.child, 'exit');
  });

  it('is whole again after kill -9 of nats-server and of Postgres, on the same addresses and with what was committed', async () => {
    const mesh: Mesh = await startMesh({ stateDir: path.join(scratchFolder(), 'state'), gatewayPort: 0, only: [], env: ENV });
    try {
      const query = async (sql: string): Promise<unknown[]> => {
        const client = new pg.Client({ connectionString: mesh.databaseUrl });
        await client.connect();
        const { rows } = await client.query(sql);
        await client.end();
        return rows;
      };
      await query('create table public.kept as select 7 as seven');
      const before = mesh.pids;
      await Promise.all([mesh.kill('nats'), mesh.kill('postgres')]);
      await mesh.whole(120_000);
      expect(mesh.pids.nats).not.toBe(before.nats);
      expect(mesh.pids.postgres).not.toBe(before.postgres);
      expect(await query('select seven from public.kept')).toEqual([{ seven: 7 }]);
    } finally {
      await mesh.stop();
    }
  });

  it('that is interrupted while it starts stops what it had started', async () => {
    const state = path.join(scratchFolder(), 'state');
    const interrupt = new AbortController();
    const begun: string[] = [];
    const progress = {
      begin: (step: string) => begun.push(step),
      update: () => {},
      done: (step: string) => step === 'postgres' && interrupt.abort(),
      failed: () => {},
      note: () => {},
    };
    await expect(startMesh({ stateDir: state, gatewayPort: 0, only: [], env: ENV, signal: interrupt.signal, progress })).rejects.toMatchObject({
      code: 'STOPPED',
    });
    expect(begun).toContain('postgres');
    expect(existsSync(statePaths(state).lock)).toBe(false);
    expect(existsSync(path.join(statePaths(state).postgres, 'data/postmaster.pid'))).toBe(false);
  });

  it('says what to do when the gateway’s port is taken, and starts nothing', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const start = startMesh({ stateDir: path.join(scratchFolder(), 'state'), env: { ...ENV, PLEXUS_GATEWAY_PORT: String(port) }, only: ['gateway'] });
    await expect(start).rejects.toMatchObject({ code: 'PORT_TAKEN', message: expect.stringContaining('PLEXUS_GATEWAY_PORT') });
    blocker.close();
  });

  it('takes other ports for its servers when somebody is faster in the moment before they bind theirs', async () => {
    const folder = scratchFolder();
    const real = await findNatsServer();
    const once = path.join(folder, 'refused');
    const impatient = executable(
      folder,
      'nats',
      `#!/bin/sh\n[ -e ${once} ] && exec ${real} "$@"\ntouch ${once}\necho 'bind: address already in use' >&2\nexit 1\n`,
    );
    const state = path.join(folder, 'state');
    process.env.NATS_SERVER = impatient;
    try {
      const mesh = await startMesh({ stateDir: state, gatewayPort: 0, only: [], env: ENV });
      await mesh.stop();
      expect(existsSync(once)).toBe(true);
      expect(mesh.nats).toBe(`nats://127.0.0.1:${(JSON.parse(readFileSync(statePaths(state).ports, 'utf8')) as { nats: number }).nats}`);
    } finally {
      delete process.env.NATS_SERVER;
    }
  });

  it.each(['x', '-1', '70000', '1e3'])('refuses PLEXUS_GATEWAY_PORT=%s', async (port) => {
    const start = startMesh({ stateDir: path.join(scratchFolder(), 'state'), env: { ...ENV, PLEXUS_GATEWAY_PORT: port }, only: [] });
    await expect(start).rejects.toMatchObject({ code: 'SETTING_INVALID' });
  });

  it('uses the servers that the environment names and starts none of its own', async () => {
    const nats = await startNatsServer({ dir: scratchFolder() });
    const postgres = await startPostgres({ dir: path.join(scratchFolder(), 'postgres'), port: await freePort() });
    const env = { ...ENV, NATS_URL: nats.url, DATABASE_URL: postgres.url() };
    const mesh = await startMesh({ stateDir: path.join(scratchFolder(), 'state'), gatewayPort: 0, only: [], env });
    expect(mesh).toMatchObject({ nats: nats.url, databaseUrl: postgres.url(), pids: {}, integratorUrlFile: undefined });
    await mesh.stop();
    expect(nats.process.hasEnded()).toBe(false);
    await Promise.all([nats.stop(), postgres.stop()]);
  });
});

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((other) => Number.isInteger(other) && identify(other) !== undefined && parentOf(other) === pid);
}

/** NaN when it has ended. */
function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return Number.NaN;
  }
}
