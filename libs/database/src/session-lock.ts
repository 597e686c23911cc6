import { systemClock } from '@plexus/kernel';
import { advisoryLockKey } from './advisory-lock.js';
import type { Database, DatabaseSession } from './database.js';

/** A lock that lives as long as its connection. Until `session.lost` aborts nobody else holds it, as far as this process can know. */
export interface SessionLock {
  readonly session: DatabaseSession;
  release(): Promise<void>;
}

/** PGlite is one session for everybody, where taking an advisory lock twice succeeds: there the names held are kept per database. */
const heldInProcess = new WeakMap<Database, Set<string>>();

/** Takes the lock `name` on a connection of its own, or returns undefined at once when somebody else holds it. */
export async function tryAcquireSessionLock(database: Database, name: string): Promise<SessionLock | undefined> {
  const session = await database.openSession();
  return keepOrClose(session, await closingOnFailure(session, () => tryLock(database, session, name)));
}

/**
 * Waits for the lock `name`, asking every `pollMs` on one connection; undefined when `signal` aborts first.
 * Rejects with `UNAVAILABLE` when the server cannot be reached or the connection breaks while waiting.
 */
export async function acquireSessionLock(
  database: Database,
  name: string,
  options: { signal: AbortSignal; pollMs?: number },
): Promise<SessionLock | undefined> {
  const session = await database.openSession();
  const lock = await closingOnFailure(session, async () => {
    while (!options.signal.aborted) {
      const taken = await tryLock(database, session, name);
      if (taken !== undefined) return taken;
      await systemClock.sleep(options.pollMs ?? 1_000, options.signal).catch(ignoreAbort(options.signal));
    }
    return undefined;
  });
  return keepOrClose(session, lock);
}

async function tryLock(database: Database, session: DatabaseSession, name: string): Promise<SessionLock | undefined> {
  if (database.kind === 'pglite') return tryLockInProcess(database, session, name);
  const rows = await session.query<{ locked: boolean }>('plexus_session_lock', 'SELECT pg_try_advisory_lock($1::bigint) AS locked', [advisoryLockKey(name)]);
  return rows[0]?.locked === true ? { session, release: () => session.close() } : undefined;
}

function tryLockInProcess(database: Database, session: DatabaseSession, name: string): SessionLock | undefined {
  const held = heldInProcess.get(database) ?? new Set<string>();
  heldInProcess.set(database, held);
  if (held.has(name)) return undefined;
  held.add(name);
  return {
    session,
    release: () => {
      held.delete(name);
      return session.close();
    },
  };
}

async function closingOnFailure<T>(session: DatabaseSession, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function keepOrClose(session: DatabaseSession, lock: SessionLock | undefined): Promise<SessionLock | undefined> {
  if (lock === undefined) await session.close();
  return lock;
}

/** A sleep that is cut short by our own signal is no failure; anything else is. */
function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
