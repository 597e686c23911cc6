import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment, waitFor } from '@plexus/testing';

const service = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const register = path.join(service, '../../libs/telemetry/dist/src/register.js');

/** The built service in a process of its own. */
export class SchedulerProcess {
  output = '';
  private readyAt: string | undefined;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;

  private constructor(
    readonly process: ChildProcess,
    /** What differs from the usual. */
    readonly settings: Record<string, string>,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    process.on('message', (message) => {
      const { type, http } = message as { type?: string; http?: string };
      if (type === 'ready') this.readyAt = http;
    });
    this.exited = new Promise((resolve) => process.once('exit', (code, signal) => resolve({ code, signal })));
  }

  static spawn(settings: Record<string, string>, environment: Record<string, string>): SchedulerProcess {
    return new SchedulerProcess(
      spawn(process.execPath, ['--max-semi-space-size=2', '--max-old-space-size=256', '--import', register, path.join(service, 'dist/src/main.js')], {
        env: { ...childEnvironment(), HOME: '/nonexistent', OTEL_SERVICE_NAME: 'scheduler', ...environment },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      }),
      settings,
    );
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Base URL of the internal listener. */
  async ready(): Promise<string> {
    await waitFor(() => this.readyAt !== undefined || !this.isAlive, { what: 'the scheduler to be ready', timeoutMs: 60_000 });
    if (this.readyAt === undefined) throw new Error(`the scheduler ended instead:\n${this.output}`);
    return this.readyAt;
  }

  async kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: string | null }> {
    this.process.kill(signal);
    return this.exited;
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  async end(): Promise<void> {
    if (this.isAlive) await this.kill('SIGKILL');
  }
}
