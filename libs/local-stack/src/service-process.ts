import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, signalProcess } from './process-identity.js';
import type { RotatingLog } from './rotating-log.js';
import { portTaken, StartError } from './start-error.js';
import type { Life } from './supervised.js';

export interface ServiceProcessOptions {
  readonly name: string;
  readonly node: string;
  /** Flags of Node itself, before the script. */
  readonly nodeFlags: readonly string[];
  readonly script: string;
  readonly cwd: string;
  /** Complete environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: RotatingLog;
  readonly readyTimeoutMs: number;
}

/** What a service sends over IPC when it can work. */
interface ReadyMessage {
  readonly type: 'ready';
  readonly http?: string;
  readonly extra?: Record<string, unknown>;
}

const CONFIGURATION_EXIT_CODE = 78;

/**
 * Starts one service as a process of its own and waits for its `ready` message. It has a process group of its own (a Ctrl-C of the terminal
 * reaches only the launcher) and an IPC channel: when the launcher dies, the channel closes and the service stops by itself.
 * Rejects with {@link StartError} and the end of its log.
 */
export async function startService(options: ServiceProcessOptions, abort: AbortSignal): Promise<Life> {
  const before = options.log.size;
  const child = spawn(options.node, [...options.nodeFlags, options.script], {
    cwd: options.cwd,
    env: { ...options.env },
    // Straight into the file: a pipe would break with the launcher, and a service that cannot log cannot end in order.
    stdio: ['ignore', options.log.descriptor, options.log.descriptor, 'ipc'],
    detached: true,
  });
  const spawned = new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  try {
    await spawned;
  } catch (cause) {
    throw new StartError('PROCESS_FAILED', `${options.name} could not be started: ${(cause as Error).message}`, undefined, { cause });
  }
  child.on('error', () => {}); // a message to a dying child: `ended` tells the rest
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw failure(options, await ended, before);

  const stop = async (graceMs: number): Promise<void> => {
    signalProcess(identity, 'SIGTERM');
    const timer = new AbortController();
    const force = sleep(graceMs, undefined, { signal: timer.signal }).then(
      () => void signalProcess(identity, 'SIGKILL', { group: true }),
      () => {}, // aborted: it ended in time
    );
    await ended;
    timer.abort();
    await force;
  };

  const ready = new Promise<ReadyMessage>((resolve) => {
    const onMessage = (message: unknown): void => {
      if (typeof message !== 'object' || message === null || (message as ReadyMessage).type !== 'ready') return;
      child.off('message', onMessage);
      resolve(message as ReadyMessage);
    };
    child.on('message', onMessage);
  });
  const patience = new AbortController();
  const outcome = await Promise.race([
    ready,
    ended,
    sleep(options.readyTimeoutMs, 'late' as const, { signal: AbortSignal.any([abort, patience.signal]) }).catch(() => 'stopped' as const),
  ]);
  patience.abort();
  if (outcome === 'late' || outcome === 'stopped') {
    await stop(1_000);
    if (outcome === 'stopped') throw new StartError('STOPPED', `${options.name} was stopped while it started`);
    throw new StartError('PROCESS_NOT_READY', `${options.name} was not ready within ${options.readyTimeoutMs} ms.${logTail(options.log)}`);
  }
  if ('code' in outcome) throw failure(options, outcome, before);
  return {
    identity,
    ended,
    http: outcome.http,
    extra: outcome.extra,
    stop,
    signal: (signal) => void signalProcess(identity, signal),
  };
}

/** `before`: how much was in the log when this life began; what earlier ones said is not its reason. */
function failure(options: ServiceProcessOptions, exit: { code: number | null; signal: NodeJS.Signals | null }, before: number): StartError {
  const taken = portTaken(options.name, options.log.tail(40, before));
  if (taken !== undefined) return taken;
  const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
  if (exit.code === CONFIGURATION_EXIT_CODE) return new StartError('SETTING_INVALID', `${options.name} refuses its settings.${logTail(options.log)}`);
  return new StartError('PROCESS_FAILED', `${options.name} ended ${how} while it started.${logTail(options.log)}`);
}

function logTail(log: RotatingLog): string {
  const tail = log.tail();
  return tail === '' ? ` Its log is empty (${log.file}).` : ` The end of ${log.file}:\n${tail}`;
}
