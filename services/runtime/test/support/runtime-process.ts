import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

export interface LaunchOptions {
  readonly url: string;
  readonly workdir: string;
  readonly epoch?: number;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly secrets?: Record<string, unknown>;
}

/** The runtime as the scheduler starts it: a child process with an allow-listed environment and its secrets on stdin. */
export class RuntimeProcess {
  stderr = '';
  /** When the process has ended and everything that it wrote has been read. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(readonly child: ChildProcess) {
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.exited = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  }

  static launch(options: LaunchOptions): RuntimeProcess {
    if (!existsSync(MAIN)) throw new Error('build the runtime first: npx tsc -b services/runtime');
    const env: Record<string, string> = {
      PATH: process.env.PATH ?? '',
      VM_USER_ID: 'me',
      VM_ID: 'vm-1',
      VM_EPOCH: String(options.epoch ?? 1),
      CONTROL_PLANE_WS: options.url,
      PLEXUS_WORKDIR: options.workdir,
      ...options.env,
    };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['pipe', 'ignore', 'pipe'] });
    // A process that ends at once closes its stdin while we write.
    child.stdin.on('error', () => undefined);
    child.stdin.write(options.stdin ?? `${JSON.stringify({ ticket: 'ticket-1', token: 'token-1', bootstrapSecret: 'secret-1', ...options.secrets })}\n`);
    return new RuntimeProcess(child);
  }

  /** Lines of the log with a message; one of which only the beginning has arrived is not looked at. */
  logged(message: string): Record<string, unknown>[] {
    const lines = this.stderr
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line.msg === message);
  }

  residentMegabytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.exited;
  }
}

/** A folder that is gone after the test. */
export function scratchFolder(): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plexus-runtime-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Waits for a condition; fails with what was waited for. */
export async function until(what: string, condition: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
