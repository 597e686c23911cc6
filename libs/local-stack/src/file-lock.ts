import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from './process-identity.js';

/** What a lock file says about its holder. `note` is free for the holder (an address, for example). */
export interface LockHolder {
  readonly process: ProcessIdentity;
  readonly note: Readonly<Record<string, unknown>>;
}

export interface HeldLock {
  /** Replaces the note in place. */
  annotate(note: Record<string, unknown>): void;
  release(): void;
}

/**
 * Takes the lock or says who holds it. The lock belongs to a process, named by pid and start time: one whose holder was
 * killed is taken over, and a pid that was reused is not mistaken for its holder.
 */
export function tryLock(file: string, note: Record<string, unknown> = {}): { held: HeldLock } | { holder: LockHolder } {
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this process cannot read its own start time');
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  const write = (target: string, value: Record<string, unknown>): void =>
    writeFileSync(target, `${JSON.stringify({ process: self, note: value } satisfies LockHolder)}\n`, { mode: 0o600 });
  write(draft, note);
  try {
    for (;;) {
      try {
        linkSync(draft, file); // atomic, and never replaces: exactly one contender succeeds, with its content already inside
        return {
          held: {
            annotate: (value) => {
              const next = `${draft}.next`;
              write(next, value);
              renameSync(next, file);
            },
            release: () => rmSync(file, { force: true }),
          },
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(file);
      if (holder !== undefined && isRunning(holder.process)) return { holder };
      setAside(file, holder);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes the lock, waiting for a living holder at most `timeoutMs`. */
export async function lock(file: string, timeoutMs: number, onWait?: (holder: LockHolder) => void): Promise<HeldLock> {
  const deadline = performance.now() + timeoutMs;
  let told = false;
  for (;;) {
    const attempt = tryLock(file);
    if ('held' in attempt) return attempt.held;
    if (!told) onWait?.(attempt.holder);
    told = true;
    if (performance.now() > deadline) throw new Error(`${file} is still held by process ${attempt.holder.process.pid} after ${timeoutMs} ms`);
    await sleep(50);
  }
}

/** Who is named in the lock file; undefined when there is none or it is not readable as one. */
export function readHolder(file: string): LockHolder | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as LockHolder;
    return typeof value.process?.pid === 'number' && typeof value.process.startedAt === 'string' ? value : undefined;
  } catch {
    return undefined; // absent, or cut short by a crash of the machine: nobody holds it
  }
}

/** Removes a dead holder's lock, unless somebody else has replaced it since we read it. */
function setAside(file: string, seen: LockHolder | undefined): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // somebody else was faster
    throw error;
  }
  const moved = readHolder(aside);
  if (moved !== undefined && JSON.stringify(moved.process) !== JSON.stringify(seen?.process)) {
    try {
      linkSync(aside, file);
    } catch {
      // a third contender holds the lock by now; the one we moved finds out when it is told so
    }
  }
  rmSync(aside, { force: true });
}
