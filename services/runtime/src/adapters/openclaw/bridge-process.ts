import { type ChildProcess, spawn } from 'node:child_process';
import { type Line, LineSplitter } from './line-splitter.js';

/** What waits for a bridge that does not read; one message of the mesh has at most 10 MB. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
const MAX_STDERR_LINE = 8 * 1024;
/** From TERM to KILL; and so long its output is read after its exit, in case something that left its group still holds it open. */
const LAST_WORDS_MS = 2_000;

/**
 * Runs the bridge in the shell's place and process group. Beside it waits a reader of descriptor 3, the other end of which is the runtime: when
 * the runtime is gone, however it died, the whole group is ended.
 */
const GUARDED = '( trap "" TERM; read -r _ <&3; kill -TERM 0; sleep "$0"; kill -KILL 0 ) </dev/null >/dev/null 2>&1 & exec "$@" 3<&-';
/** From the guard's TERM to its KILL. */
const GUARD_GRACE_S = 5;

export interface BridgeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not even be started. */
  readonly error?: string;
}

export interface BridgeHandlers {
  line(line: Line): void;
  stderr(line: Line): void;
  /** Once, when it has ended and everything that it said has been handed over. */
  exit(exit: BridgeExit): void;
}

/** A running bridge. */
export interface BridgeChild {
  /** Queues a line. False when so much waits that this one was not taken. */
  write(line: string): boolean;
  /** Nothing more comes to its input. */
  endInput(): void;
  /** Stops and continues reading what it says: a bridge that says more than can be sent on waits. */
  pause(): void;
  resume(): void;
  /** To its whole process group; nothing happens when that is gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export type StartBridge = (handlers: BridgeHandlers) => BridgeChild;

export interface BridgeProgram {
  /** Program and arguments; no secrets. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** All that the bridge sees of the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** How long it has, in seconds, from TERM to KILL, when the runtime is gone; 5 unless set. */
  readonly orphanGraceS?: number;
}

/** Starts the bridge in a process group of its own. A program that cannot be started shows as an exit. */
export function startBridgeProcess({ command, cwd, env, orphanGraceS = GUARD_GRACE_S }: BridgeProgram, handlers: BridgeHandlers): BridgeChild {
  const child = spawn('/bin/sh', ['-c', GUARDED, String(orphanGraceS), ...command], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  return new BridgeProcess(child, handlers);
}

class BridgeProcess implements BridgeChild {
  private readonly lines = new LineSplitter();
  private readonly errors = new LineSplitter(MAX_STDERR_LINE);
  private failure: string | undefined;
  private hasExited = false;

  constructor(
    private readonly child: ChildProcess,
    handlers: BridgeHandlers,
  ) {
    const { stdin, stdout, stderr } = child;
    stdout?.on('data', (chunk: Buffer) => this.lines.push(chunk).forEach(handlers.line));
    stderr?.on('data', (chunk: Buffer) => this.errors.push(chunk).forEach(handlers.stderr));
    // It is gone, and its exit says so, or it has closed its input: then nobody can ask it anything any more.
    stdin?.on('error', () => this.end());
    child.stdio[3]?.on('error', () => undefined);
    child.on('error', (error) => {
      this.failure = error.message;
    });
    // What it had started lives in its group, the guard too.
    child.on('exit', () => {
      this.kill('SIGKILL');
      this.hasExited = true;
      this.letGo();
    });
    child.on('close', (code, signal) => {
      child.stdio[3]?.destroy();
      this.lines.end().forEach(handlers.line);
      this.errors.end().forEach(handlers.stderr);
      handlers.exit({ code, signal, ...(this.failure !== undefined && { error: this.failure }) });
    });
  }

  write(line: string): boolean {
    const { stdin } = this.child;
    // Not a bridge that does not read: its exit follows.
    if (!stdin?.writable) return true;
    if (stdin.writableLength + Buffer.byteLength(line) > MAX_BACKLOG_BYTES) return false;
    stdin.write(line);
    return true;
  }

  endInput(): void {
    this.child.stdin?.end();
  }

  pause(): void {
    this.child.stdout?.pause();
  }

  resume(): void {
    this.child.stdout?.resume();
  }

  private end(): void {
    this.kill('SIGTERM');
    setTimeout(() => this.kill('SIGKILL'), LAST_WORDS_MS).unref();
  }

  private letGo(): void {
    setTimeout(() => {
      const { stdout, stderr } = this.child;
      // What was said and not taken yet is still taken.
      if (stdout?.isPaused()) this.letGo();
      else for (const stream of [stdout, stderr]) stream?.destroy();
    }, LAST_WORDS_MS).unref();
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.child;
    // The number of a group that is gone may be somebody else's by now.
    if (pid === undefined || this.hasExited) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
