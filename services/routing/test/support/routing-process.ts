import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@plexus/testing';

const MAIN = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../dist/src/main.js');

/** The built service as a process of its own, as it runs in production: something that can be killed. */
export class RoutingProcess {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #ready = false;
  #output = '';

  constructor(env: Readonly<Record<string, string>>) {
    this.#process = spawn(process.execPath, ['--import', '@plexus/telemetry/register', MAIN], {
      cwd: path.dirname(MAIN),
      env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'warn', SHUTDOWN_TIMEOUT_MS: '3000', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process.on('message', (message: { type?: string }) => {
      if (message.type === 'ready') this.#ready = true;
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream?.on('data', (chunk) => (this.#output += chunk));
    this.#exited = new Promise((resolve) => this.#process.once('close', resolve));
  }

  async ready(): Promise<this> {
    await waitFor(() => this.#ready || this.#process.exitCode !== null, { what: 'a routing process', timeoutMs: 60_000 });
    if (!this.#ready) throw new Error(`routing ended instead: ${this.#output}`);
    return this;
  }

  /** Ends it without a chance to clean up. */
  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGKILL');
    await this.#exited;
  }
}
