import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';

/**
 * A watcher in the group waits on a pipe that only this runtime holds: when the runtime dies, however it dies, the group goes with it. It
 * ignores the signals that are sent first.
 */
const WRAPPER = `( trap '' INT TERM HUP; read -r _ <&3; kill -KILL 0 ) >/dev/null 2>&1 & exec 3<&-; exec "$@"`;

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** All that the program sees. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** How long it has after its input was closed, and again after TERM. */
  readonly graceMs: number;
}

/** Talks JSON lines with a program in a process group of its own, so that whatever it starts ends with it. */
export class ProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** Why it ended, for the log; undefined while it runs. */
  ending: string | undefined;
  private child: ChildProcessWithoutNullStreams | undefined;
  private exited: Promise<unknown> = Promise.resolve();
  private readonly buffer = new ReadBuffer();

  constructor(private readonly options: ProcessOptions) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd } = this.options;
    const child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', command, ...args], { env: { ...env }, cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    if (!hasPipes(child)) throw new TypeError('a process without pipes');
    this.child = child;
    // Resolves also when there never was a process.
    this.exited = new Promise((resolve) => child.once('close', resolve));
    // What it has started goes with it, the watcher as well.
    child.once('exit', () => this.kill('SIGKILL'));
    child.once('close', (code, signal) => {
      this.ending ??= signal ?? describeExit(code);
      this.onclose?.();
    });
    child.stdout.on('data', (chunk: Buffer) => this.read(chunk));
    // What a program writes there may hold anything, so it is nowhere kept; but it must be read, or the program would block.
    child.stderr.resume();
    for (const stream of child.stdio) stream?.on('error', (error) => this.onerror?.(error));
    child.on('error', (error) => this.onerror?.(error));
    await once(child, 'spawn');
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const { child } = this;
    if (child === undefined || this.ending !== undefined || !child.stdin.writable) throw new Error('the program does not run');
    await new Promise<void>((resolve, reject) => child.stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve())));
  }

  /** Closes its input, then TERM, then KILL to the whole group; resolves when the program is gone. */
  async close(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined) return;
    child.stdin.end();
    if (!(await this.gone())) {
      this.kill('SIGTERM');
      if (!(await this.gone())) this.kill('SIGKILL');
    }
    await this.exited;
    this.buffer.clear();
  }

  private read(chunk: Buffer): void {
    try {
      this.buffer.append(chunk);
      for (let message = this.next(); message !== null; message = this.next()) if (message !== undefined) this.onmessage?.(message);
    } catch (error) {
      // A line without an end: nothing sensible can follow.
      this.ending ??= 'a message too large';
      this.onerror?.(error as Error);
      this.kill('SIGKILL');
    }
  }

  /** Null: no further line. Undefined: a line that is no message; programs do print there by mistake. */
  private next(): JSONRPCMessage | null | undefined {
    try {
      return this.buffer.readMessage();
    } catch (error) {
      this.onerror?.(error as Error);
      return undefined;
    }
  }

  private async gone(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), this.options.graceMs);
    });
    const isGone = await Promise.race([this.exited.then(() => true), grace]);
    clearTimeout(timer);
    return isGone;
  }

  private kill(signal: NodeJS.Signals): void {
    const pid = this.child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') this.onerror?.(error as Error);
    }
  }
}

function hasPipes(child: ChildProcess): child is ChildProcessWithoutNullStreams {
  return child.stdin !== null && child.stdout !== null && child.stderr !== null;
}

/** The shell's own words for a program that it cannot run are two numbers. */
function describeExit(code: number | null): string {
  if (code === 127) return 'there is no such program (exit code 127)';
  return code === 126 ? 'it is no program (exit code 126)' : `exit code ${code}`;
}
