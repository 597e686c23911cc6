import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { type Clock, timeout } from '@plexus/kernel';
import { HeadAndTail } from '../../domain/bounded-text.js';
import type { ToolProcess } from '../../application/ports.js';

/** Processes that left the group may hold its output open: it is not waited for longer than this. */
const OUTPUT_GRACE_MS = 1_000;
const SHELL = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
/**
 * A watcher in the group waits on a pipe that only this runtime holds: when the runtime dies, however it dies, the group goes with it. It
 * ignores the signals that a cancel sends first.
 */
const WRAPPER = `( trap '' INT TERM HUP; read -r _ <&3; kill -KILL 0 ) >/dev/null 2>&1 & exec 3<&-; exec ${SHELL} -c "$1"`;

export interface GroupOutcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote on both outputs, as it came. */
  readonly output: string;
}

export interface GroupOptions {
  readonly command: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly maxOutputChars: number;
  readonly clock: Clock;
}

/** A shell command in a process group of its own. Nothing of the group is left when `ended` resolves. */
export class ProcessGroup implements ToolProcess {
  readonly exited: Promise<unknown>;
  /** Rejects when it cannot be started. */
  readonly ended: Promise<GroupOutcome>;
  private readonly child: ChildProcess;
  private readonly output: HeadAndTail;
  private gone = false;

  constructor(private readonly options: GroupOptions) {
    this.output = new HeadAndTail(options.maxOutputChars);
    this.child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', options.command], {
      cwd: options.folder,
      env: { ...options.environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    // A pipe of a child that is gone may report it; what matters comes with the exit.
    this.child.stdio[3]?.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => this.child.once('close', () => resolve()));
    this.listen(this.child.stdout);
    this.listen(this.child.stderr);
    this.ended = this.run(closed);
    this.exited = this.ended.catch(() => undefined);
  }

  /** Ends the group politely, as Ctrl-C would. */
  interrupt(): void {
    this.send('SIGINT');
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.send(signal);
  }

  /** What it has written so far. */
  get written(): string {
    return this.output.toString();
  }

  private async run(closed: Promise<void>): Promise<GroupOutcome> {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
    });
    // What the command left running in its group goes with it, the watcher as well.
    this.send('SIGKILL');
    this.gone = true;
    // What it wrote until then is what there is.
    await timeout(closed, OUTPUT_GRACE_MS, { clock: this.options.clock }).catch(() => undefined);
    for (const stream of this.child.stdio) stream?.destroy();
    return { code, signal, output: this.written };
  }

  private listen(stream: NodeJS.ReadableStream | null): void {
    // A character may come in two parts.
    const decoder = new StringDecoder('utf8');
    stream?.on('data', (chunk: Buffer) => this.output.push(decoder.write(chunk)));
    stream?.on('error', () => undefined);
  }

  private send(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    // The number of a group that is gone may belong to somebody else.
    if (pid === undefined || this.gone) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
