import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot, statePaths } from '@plexus/local-stack';
import { descendants, expectGone, marked, throwAwayFolder, waitFor } from '../../src/index.js';
import { MeshUser } from './mesh-user.js';

interface ReadyLine {
  readonly ready: true;
  readonly gateway: { readonly ws: string; readonly http: string };
  readonly nats: string;
  readonly token: string;
  readonly pid: number;
  readonly services: Readonly<Record<string, { readonly pid: number; readonly http: string }>>;
}

/** `npm start` without npm: the same script, the same arguments. */
class Start {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;

  constructor(stateDir: string, ...args: string[]) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(PLEXUS_|NATS_|DATABASE_URL|MEMORY_DATABASE_URL)/.test(name));
    this.child = spawn(process.execPath, [path.join(repositoryRoot(), 'tools/start.mjs'), '--json', '--state', stateDir, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), PLEXUS_GATEWAY_PORT: '0' },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exit = once(this.child, 'exit').then(([code]) => code as number | null);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async ready(): Promise<ReadyLine> {
    const line = await waitFor(() => this.hasEnded || /^\{.*\}\n/m.exec(this.stdout)?.[0], { timeoutMs: 150_000, what: 'the ready line' });
    if (typeof line !== 'string') throw new Error(`the start ended with code ${this.child.exitCode}:\n${this.stderr}`);
    return JSON.parse(line) as ReadyLine;
  }
}

/** Everything that belongs to the mesh, after a message has been answered: then a VM's runtime is among it. */
async function everythingOf({ gateway, token, pid, services }: ReadyLine, stateDir: string): Promise<ReturnType<typeof marked>> {
  const user = new MeshUser(gateway.http, token);
  await user.complete('main', [await user.say('main', 'hello')]);
  const cluster = marked(readFileSync(statePaths(stateDir).clusterId, 'utf8').trim());
  expect(cluster.length).toBeGreaterThan(Object.keys(services).length);
  return [...descendants(pid), ...cluster];
}

describe('npm start', () => {
  const stateDir = path.join(throwAwayFolder('start').path, 'state');
  let latest: Start | undefined;
  /** The mesh that runs on the state folder, or a new one where the test before has ended it. */
  const running = async (): Promise<{ readonly start: Start; readonly ready: ReadyLine }> => {
    if (latest === undefined || latest.hasEnded) latest = new Start(stateDir);
    return { start: latest, ready: await latest.ready() };
  };

  afterAll(() => {
    latest?.child.kill('SIGTERM');
  });

  it('prints exactly one line on stdout, with the address of everything', async () => {
    const { start, ready } = await running();
    expect(start.stdout.trim().split('\n')).toHaveLength(1);
    expect(Object.keys(ready)).toEqual(['ready', 'gateway', 'nats', 'token', 'pid', 'services']);
    expect(ready.pid).toBe(start.child.pid);
    expect(Object.keys(ready.services).sort()).toEqual(['gateway', 'memory', 'push', 'routing', 'scheduler']);
    expect((await fetch(`${ready.gateway.http}/healthz`)).status).toBe(200);
    for (const { http } of Object.values(ready.services)) expect((await fetch(`${http}/readyz`)).status).toBe(200);
    expect(ready.token).toBe(readFileSync(statePaths(stateDir).token, 'utf8').trim());
    expect(statSync(statePaths(stateDir).token).mode & 0o777).toBe(0o600);
  });

  it('on the same state a second time says who is running, and ends with an error', async () => {
    const { ready } = await running();
    const second = new Start(stateDir);
    expect(await second.exit).toBe(1);
    expect(second.stdout).toBe('');
    expect(second.stderr).toContain(`already running on ${stateDir} (pid ${ready.pid}, gateway at ${ready.gateway.ws})`);
  });

  it('starts a killed service again and says so', async () => {
    const { start, ready } = await running();
    process.kill(ready.services.push?.pid ?? 0, 'SIGKILL');
    await waitFor(() => start.stderr.includes('push was ended by SIGKILL; starting it again in'), { what: 'the line that says so' });
    await waitFor(() => /push is back \(pid \d+\)/.test(start.stderr), { timeoutMs: 120_000, what: 'push to be back' });
  });

  it('whose launcher is killed leaves no process behind, and starts again', async () => {
    const { start, ready } = await running();
    const everything = await everythingOf(ready, stateDir);
    start.child.kill('SIGKILL');
    await start.exit;
    await expectGone(everything, 60_000);
    expect((await running()).ready.pid).not.toBe(ready.pid);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('stops at %s in order, ends with code 0 and leaves no process behind', async (signal) => {
    const { start, ready } = await running();
    const everything = await everythingOf(ready, stateDir);
    start.child.kill(signal);
    if (signal === 'SIGINT') start.child.kill(signal); // a terminal sends it to npm and to us, and npm passes its own on
    expect(await start.exit).toBe(0);
    await expectGone(everything, 60_000);
    expect(marked(readFileSync(statePaths(stateDir).clusterId, 'utf8').trim())).toEqual([]);
  });

  it('refuses arguments it does not know', async () => {
    const start = new Start(stateDir, '--frehs');
    expect(await start.exit).toBe(2);
    expect(start.stderr).toContain('--fresh');
  }, 180_000);
});
