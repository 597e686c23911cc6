import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment, waitFor } from '@plexus/testing';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MAIN = path.join(HERE, '../../dist/src/main.js');
/** Lets a process be asked for its memory. */
const MEMORY_PROBE = ['--expose-gc', '--import', path.join(HERE, '../../bench/support/memory-probe.ts')];

/** Flags of Node with which the launcher starts services. */
const LAUNCHER_FLAGS = ['--max-semi-space-size=2', '--max-old-space-size=256'];

/** The built gateway as a process of its own, as it runs in production. */
export class GatewayProcess {
  readonly messages: { type: string; extra?: { ws: string; http: string } }[] = [];
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  output = '';

  private constructor(readonly process: ChildProcess) {
    process.on('message', (message) => this.messages.push(message as never));
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    this.exited = new Promise((resolve) => process.once('close', (code, signal) => resolve({ code, signal })));
  }

  /** `probed`: {@link heldBytes} can be asked. */
  static spawn(env: Record<string, string>, o: { readonly probed?: boolean } = {}): GatewayProcess {
    const child = spawn(process.execPath, [...LAUNCHER_FLAGS, ...(o.probed === true ? MEMORY_PROBE : []), '--import', '@plexus/telemetry/register', MAIN], {
      cwd: path.dirname(MAIN),
      env: { ...childEnvironment(), LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return new GatewayProcess(child);
  }

  /** Its addresses, once it has said that it is ready. */
  async ready(): Promise<{ ws: string; http: string }> {
    const message = await waitFor(
      () => this.messages.find(({ type }) => type === 'ready') ?? (this.process.exitCode === null ? undefined : { type: 'exited' }),
      {
        what: 'the ready message',
        timeoutMs: 120_000,
      },
    );
    if (!('extra' in message) || message.extra === undefined) throw new Error(`the gateway ended instead: ${this.output}`);
    return message.extra;
  }

  /** Resident set size in bytes. */
  get residentBytes(): number {
    const [, pages] = readFileSync(`/proc/${this.process.pid}/statm`, 'utf8').split(' ');
    return Number(pages) * 4_096;
  }

  /** Heap and buffers in bytes, after its garbage was collected. */
  async heldBytes(): Promise<number> {
    const answer = new Promise<number>((resolve, reject) => {
      const listen = (message: { memory?: { heap: number; external: number } }) => {
        if (message.memory === undefined) return;
        this.process.off('message', listen);
        resolve(message.memory.heap + message.memory.external);
      };
      this.process.on('message', listen);
      this.process.once('exit', () => reject(new Error(`the gateway has ended: ${this.output}`)));
    });
    this.process.send({ measure: true });
    return answer;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Ends it whatever it does. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exited;
  }
}
