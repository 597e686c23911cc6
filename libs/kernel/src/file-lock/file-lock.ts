import { createHash, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
  /** Gives the lock back; a second time, or after somebody removed the file, it does nothing. */
  release(): void;
}

/** The content of a lock file as one contender saw it. */
interface Seen {
  readonly holder: LockHolder | undefined;
  /** Names this one time that somebody held the lock: whatever the note says, and never the same again. */
  readonly print: string;
}

/**
 * Takes the lock or says who holds it. The lock belongs to a process, named by pid and start time: one whose holder was
 * killed is taken over, and a pid that was reused is not mistaken for its holder. A holder that merely stands still keeps it.
 */
export function tryLock(file: string, note: Record<string, unknown> = {}): { held: HeldLock } | { holder: LockHolder } {
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this process cannot read its own start time');
  mkdirSync(path.dirname(file), { recursive: true });
  const id = randomBytes(9).toString('hex');
  const draft = `${file}.${process.pid}.${id}`;
  const write = (target: string, value: Record<string, unknown>): void =>
    writeFileSync(target, `${JSON.stringify({ process: self, id, note: value })}\n`, { mode: 0o600 });
  write(draft, note);
  try {
    for (;;) {
      if (!place(draft, file)) {
        const seen = look(file);
        if (seen === undefined) continue; // given back just now
        if (seen.holder !== undefined && isRunning(seen.holder.process)) return { holder: seen.holder };
        const outcome = succeed(file, seen, draft);
        if (outcome === 'again') continue;
        if (outcome !== 'taken') return outcome;
      }
      return { held: new OwnLock(file, printOf(self, id), draft, write) };
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

class OwnLock implements HeldLock {
  constructor(
    private readonly file: string,
    private readonly print: string,
    private readonly draft: string,
    private readonly write: (target: string, note: Record<string, unknown>) => void,
  ) {}

  annotate(note: Record<string, unknown>): void {
    if (look(this.file)?.print !== this.print) return;
    const next = `${this.draft}.next`;
    this.write(next, note);
    renameSync(next, this.file);
  }

  release(): void {
    if (look(this.file)?.print === this.print) rmSync(this.file, { force: true });
  }
}

/**
 * Takes over from a dead holder. To remove its file and to make one's own would be two steps, between which a contender that has stood still since
 * it saw the dead holder removes the lock of a living one. So each dead holder has one heir: who first makes the file that is named after it. An heir that died
 * on the way has an heir of its own. The last of them replaces the lock in one step, unless the dead holder's time was over before.
 */
function succeed(file: string, dead: Seen, draft: string): 'taken' | 'again' | { holder: LockHolder } {
  const claims: string[] = [];
  for (let predecessor = dead; ; ) {
    const claim = `${file}.after.${predecessor.print}`;
    claims.push(claim);
    if (place(draft, claim)) break;
    const heir = look(claim);
    if (heir === undefined) return 'again';
    if (heir.holder !== undefined && isRunning(heir.holder.process)) return { holder: heir.holder };
    predecessor = heir;
  }
  if (look(file)?.print !== dead.print) {
    rmSync(claims.at(-1) as string, { force: true });
    return 'again';
  }
  const own = `${draft}.heir`;
  linkSync(draft, own);
  renameSync(own, file);
  for (const claim of claims) rmSync(claim, { force: true });
  return 'taken';
}

/** Makes `target` with the content of `draft` already inside. Exactly one contender succeeds: nothing is ever replaced. */
function place(draft: string, target: string): boolean {
  try {
    linkSync(draft, target);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
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
  return look(file)?.holder;
}

/** Undefined when there is no file. */
function look(file: string): Seen | undefined {
  let text: string;
  let inode: number;
  try {
    text = readFileSync(file, 'utf8');
    inode = statSync(file).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as LockHolder & { readonly id?: string };
    if (typeof value.process?.pid === 'number' && typeof value.process.startedAt === 'string') {
      return { holder: { process: value.process, note: value.note ?? {} }, print: printOf(value.process, value.id) };
    }
  } catch {
    // cut short by a crash of the machine: nobody holds it
  }
  // By its inode as well: several that were cut short look alike, and one must never be its own heir.
  return { holder: undefined, print: digest(`${inode} ${text}`) };
}

function printOf(process: ProcessIdentity, id: string | undefined): string {
  return digest(`${process.pid} ${process.startedAt} ${id ?? ''}`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
