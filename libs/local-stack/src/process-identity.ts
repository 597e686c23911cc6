import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from '@plexus/kernel/file-lock';

export { identify, isRunning, type ProcessIdentity };

/**
 * Sends the signal to exactly this process (never to a later one with its pid), or with `group` to its process group.
 * False when it is gone already.
 */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, options: { group?: boolean } = {}): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(options.group === true ? -identity.pid : identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until the process is gone. False when it still runs after `timeoutMs`. */
export async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Sends `signal`, waits `graceMs`, then SIGKILL. False when it survived even that (uninterruptible sleep). */
export async function endProcess(identity: ProcessIdentity, options: { signal?: NodeJS.Signals; graceMs?: number; group?: boolean } = {}): Promise<boolean> {
  const { signal = 'SIGTERM', graceMs = 3_000, group = false } = options;
  if (!signalProcess(identity, signal, { group })) return true;
  if (await waitUntilGone(identity, graceMs)) return true;
  signalProcess(identity, 'SIGKILL', { group });
  return waitUntilGone(identity, 2_000);
}

/**
 * Every process that was started with `NAME=value` in its environment, however far it has moved from its parent.
 * Linux only (reads `/proc/<pid>/environ`); elsewhere the list is empty. Our own process is never in it.
 */
export function findByEnvironment(name: string, value: string): ProcessIdentity[] {
  const wanted = Buffer.from(`\0${name}=${value}\0`);
  const edge = Buffer.from([0]);
  return findProcesses((folder) => Buffer.concat([edge, readFileSync(`${folder}/environ`), edge]).includes(wanted));
}

/** Every process of a program with this file name whose working folder is `folder` (a real path). Linux only. */
export function findWorkingIn(folder: string, program: string): ProcessIdentity[] {
  return findProcesses((entry) => readlinkSync(`${entry}/cwd`) === folder && path.basename(readlinkSync(`${entry}/exe`)) === program);
}

function findProcesses(matches: (procFolder: string) => boolean): ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const identity = matches(`/proc/${pid}`) ? identify(pid) : undefined;
      if (identity !== undefined) found.push(identity);
    } catch {
      // ended while we looked, or belongs to another user: not ours either way
    }
  }
  return found;
}
