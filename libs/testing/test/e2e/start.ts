import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot, statePaths } from '@plexus/local-stack';
import { descendants, marked, waitFor } from '../../src/index.js';
import { MeshUser } from './mesh-user.js';

export interface ReadyLine {
  readonly ready: true;
  readonly gateway: { readonly ws: string; readonly http: string };
  readonly nats: string;
  readonly token: string;
  readonly pid: number;
  readonly services: Readonly<Record<string, { readonly pid: number; readonly http: string }>>;
}

/** `npm start` without npm: the same script, the same arguments. */
export class Start {
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
    const line = await waitFor(() => this.hasEnded || /^\{.*\}\n/m.exec(this.stdout)?.[0], { timeoutMs: 240_000, what: 'the ready line' });
    if (typeof line !== 'string') throw new Error(`the start ended with code ${this.child.exitCode}:\n${this.stderr}`);
    return JSON.parse(line) as ReadyLine;
  }
}

/** Everything that belongs to the mesh, after a message has been answered: then a VM's runtime is among it. */
export async function everythingOf({ gateway, token, pid, services }: ReadyLine, stateDir: string): Promise<ReturnType<typeof marked>> {
  const user = new MeshUser(gateway.http, token);
  await user.complete('main', [await user.say('main', 'hello')]);
  const cluster = marked(readFileSync(statePaths(stateDir).clusterId, 'utf8').trim());
  expect(cluster.length).toBeGreaterThan(Object.keys(services).length);
  return [...descendants(pid), ...cluster];
}

/** One start after the other on the same state folder, for tests that share one as long as it runs. */
export class Starts {
  private latest: Start | undefined;

  constructor(private readonly stateDir: string) {}

  /** The mesh that runs on the state folder, or a new one where the test before has ended it. */
  async running(): Promise<{ readonly start: Start; readonly ready: ReadyLine }> {
    if (this.latest === undefined || this.latest.hasEnded) this.latest = new Start(this.stateDir);
    return { start: this.latest, ready: await this.latest.ready() };
  }

  async end(): Promise<void> {
    this.latest?.child.kill('SIGTERM');
    await this.latest?.exit;
  }
}
