import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@plexus/testing';

const FIXTURES = path.join(path.dirname(fileURLToPath(import.meta.url)), '../fixtures');
const SERVICE = path.join(FIXTURES, 'sample-service.mjs');

const closed = (stream: Readable | null): Promise<void> => new Promise((resolve) => (stream === null ? resolve() : stream.once('close', resolve)));

type Line = Record<string, unknown> & { readonly message: string; readonly level: string };

/** A sample service in a process of its own. */
export class SpawnedService {
  readonly lines: Line[] = [];
  readonly messages: Record<string, unknown>[] = [];
  stderr = '';
  private rest = '';
  readonly exited: Promise<{ code: number | null; signal: string | null }>;

  private constructor(readonly process: ChildProcess) {
    process.stdout?.setEncoding('utf8').on('data', (text: string) => this.read(text));
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    process.on('message', (message) => this.messages.push(message as Record<string, unknown>));
    // Node emits no 'close' once the parent has disconnected, so the parts of it are awaited one by one.
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => process.once('exit', (code, signal) => resolve({ code, signal })));
    this.exited = Promise.all([ended, closed(process.stdout), closed(process.stderr)]).then(([outcome]) => outcome);
  }

  /** Starts the service; with `parent`, as the child of a process in between, whose end `exited` then means. */
  static spawn(env: Record<string, string>, { parent = false } = {}): SpawnedService {
    const args = parent ? [path.join(FIXTURES, 'parent.mjs')] : ['--import', '@plexus/telemetry/register', SERVICE];
    const child = spawn(process.execPath, args, {
      cwd: FIXTURES,
      env: { PATH: process.env.PATH ?? '', SHUTDOWN_TIMEOUT_MS: '60000', PROBE_FILE: SERVICE, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return new SpawnedService(child);
  }

  /** Base URL of the internal listener, once the service has reported ready. */
  async ready(): Promise<string> {
    const message = await waitFor(() => this.messages.find(({ type }) => type === 'ready') ?? (this.process.exitCode === null ? undefined : { http: '' }), {
      what: 'the ready message',
      timeoutMs: 120_000,
    });
    if (message.http === '') throw new Error(`the service ended instead: ${JSON.stringify(this.lines.at(-1))} ${this.stderr}`);
    return message.http as string;
  }

  messageOf(text: string): Line | undefined {
    return this.lines.find((line) => line.message.includes(text));
  }

  /** Ends it whatever it does, for the end of a test. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exited;
  }

  private read(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.lines.push(JSON.parse(line) as Line);
  }
}
