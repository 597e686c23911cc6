import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, type ProcessIdentity, signalProcess } from './process-identity.js';
import { StartError } from './start-error.js';

export interface GuardedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Complete environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Runs it as another user; only root may. */
  readonly uid?: number;
  readonly gid?: number;
  /** Sent when we ask it to stop, and by its guard when we die. */
  readonly stopSignal: NodeJS.Signals;
  /** Gets the process's standard error (and output), piece by piece. */
  readonly onOutput: (text: string) => void;
}

export interface GuardedProcess {
  readonly identity: ProcessIdentity;
  /** Settles when the process has ended, whoever ended it. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Settles when nothing more of its output comes: what it said last may be read a moment after its end. */
  readonly silent: Promise<void>;
  hasEnded(): boolean;
  /** Asks it to stop, waits `graceMs`, then kills it. Settles when it is gone. */
  stop(graceMs?: number): Promise<void>;
  /** Sends any signal, SIGKILL included. */
  signal(signal: NodeJS.Signals): void;
  /** Lets this Node process end while the guarded one runs; the guard then stops it. */
  unref(): void;
}

/**
 * A shell that starts the server, prints its pid, and holds the read end of a pipe from us. When we end, however hard,
 * the pipe closes and the guard stops the server: nothing is left behind even after `kill -9`. It asks again each second, because a program that was
 * just started may not listen to the signal yet (a shell starts it with SIGINT ignored), and kills one that hangs.
 * `read`, `wait` and `kill` are built in, so the guard costs one shell and one fork of it (about 1 MB).
 */
const GUARD = `
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
echo "guarded $server"
{
  exec >/dev/null 2>&1
  read -r _ <&3
  for second in 1 2 3 4 5 6 7 8; do
    kill -s "$GUARD_SIGNAL" $server || exit
    PATH=/usr/bin:/bin sleep 1
  done
  kill -s KILL $server
} &
watch=$!
wait $server
code=$?
kill $watch 2>/dev/null
exit $code
`;

/** Starts a server that cannot outlive this process. It runs in a session of its own, so a Ctrl-C of the terminal does not reach it. */
export async function startGuarded(options: GuardedProcessOptions): Promise<GuardedProcess> {
  const guard = spawn('/bin/sh', ['-c', GUARD, 'guard', options.command, ...options.args], {
    cwd: options.cwd,
    env: { ...options.env, GUARD_SIGNAL: options.stopSignal.slice('SIG'.length) },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  let over = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    guard.once('exit', (code, signal) => {
      over = true;
      resolve(asSeenByTheGuard(code, signal));
    });
  });
  const silent = new Promise<void>((resolve) => {
    guard.once('close', () => resolve());
  });
  // The guard may be gone before we close its pipe.
  guard.stdin.on('error', () => {});
  guard.stderr.setEncoding('utf8').on('data', options.onOutput);
  const identity = await readIdentity(guard, options);
  guard.stdout.on('data', (text: string) => options.onOutput(text));
  return {
    identity,
    ended,
    silent,
    hasEnded: () => over,
    signal: (signal) => void signalProcess(identity, signal),
    unref: () => {
      guard.unref();
      for (const stream of [guard.stdin, guard.stdout, guard.stderr]) (stream as unknown as { unref(): void }).unref();
    },
    stop: async (graceMs = 5_000) => {
      if (over) return;
      signalProcess(identity, options.stopSignal);
      const patience = new AbortController();
      const killLater = sleep(graceMs, undefined, { signal: patience.signal }).then(
        () => void signalProcess(identity, 'SIGKILL'),
        () => {}, // aborted: it ended in time
      );
      await ended;
      patience.abort();
      await killLater;
    },
  };
}

/** The shell reports a server that was ended by a signal as exit code 128 + number. */
function asSeenByTheGuard(code: number | null, signal: NodeJS.Signals | null): { code: number | null; signal: NodeJS.Signals | null } {
  const ended = Object.entries(constants.signals).find(([, number]) => code === 128 + number);
  return ended === undefined ? { code, signal } : { code: null, signal: ended[0] as NodeJS.Signals };
}

function readIdentity(guard: ChildProcess, options: GuardedProcessOptions): Promise<ProcessIdentity> {
  return new Promise((resolve, reject) => {
    const failed = (reason: string): void => reject(new StartError('PROCESS_FAILED', `${options.command} could not be started: ${reason}`));
    let text = '';
    guard.once('error', (error) => failed(error.message));
    // Not with `exit`: its line may be on its way still.
    guard.once('close', (code) => failed(`its guard ended with code ${code}`));
    guard.stdout?.setEncoding('utf8');
    const read = (piece: string): void => {
      text += piece;
      const line = /^guarded (\d+)\n/.exec(text);
      if (line === null) return;
      guard.stdout?.off('data', read);
      guard.removeAllListeners('error');
      guard.on('error', () => {}); // a later failed signal is seen by `ended`
      const pid = Number(line[1]);
      // One that ended at once is nobody any more. Why is in its output, and the rest is for whoever waits for it to be ready.
      resolve(identify(pid) ?? { pid, startedAt: 'ended at once' });
      const rest = text.slice(line[0].length);
      if (rest !== '') options.onOutput(rest);
    };
    guard.stdout?.on('data', read);
  });
}
