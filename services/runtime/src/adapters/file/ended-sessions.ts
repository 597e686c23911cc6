import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AbortedError, type Clock } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import { sessionFolder } from '../../domain/session-folder.js';

export interface EndedSessionsOptions {
  readonly workdir: string;
  /** The folder of a session that has ended is kept for so long: whoever begins it again finds its files. */
  readonly keepMs: number;
  /** Of more than so many the oldest go at once. */
  readonly most?: number;
  /** False while the mesh has not confirmed what it should keep of the session: then its folder is kept seven times as long. */
  readonly isSettled: (sessionId: string) => boolean;
  /** True of a session that was begun again. */
  readonly isKnown: (sessionId: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const MARK = 'ended.json';
const DOOMED = '.removed-';
const MOST = 1_000;
const LOOK_MS = 600_000;
const UNSETTLED = 7;

interface Ended {
  readonly folder: string;
  readonly sessionId: string;
  readonly at: number;
}

/**
 * Removes the folders of sessions that have ended. When one did stands in its folder, so that the next process goes on where this one was killed.
 * A folder without that mark is never touched: nobody has said that it is over.
 */
export class EndedSessions {
  /** Marks are set and taken away one after the other, as sessions end and begin. */
  private marking: Promise<void> = Promise.resolve();

  constructor(private readonly options: EndedSessionsOptions) {}

  /** Looks now and then until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sweep();
      try {
        await this.options.clock.sleep(LOOK_MS, signal);
      } catch (error) {
        if (!(error instanceof AbortedError)) throw error;
      }
    }
  }

  /** The session has ended and has let go of its files. */
  ended(sessionId: string): Promise<void> {
    return this.mark(async () => {
      if (this.options.isKnown(sessionId)) return;
      const { root } = sessionFolder(this.options.workdir, sessionId);
      await writeFile(path.join(root, MARK), JSON.stringify({ session_id: sessionId, at: this.options.clock.now() }), { mode: 0o600 });
    });
  }

  /** The session has begun, perhaps again. */
  begun(sessionId: string): Promise<void> {
    return this.mark(() => rm(path.join(sessionFolder(this.options.workdir, sessionId).root, MARK), { force: true }));
  }

  /** Removes what is old enough, and the oldest of too many. Never rejects: what cannot be removed is tried again. */
  async sweep(): Promise<void> {
    const { keepMs, most = MOST, isKnown, isSettled, clock, log } = this.options;
    await this.marking;
    const newestFirst = (await this.found()).sort((a, b) => b.at - a.at);
    for (const [index, { folder, sessionId, at }] of newestFirst.entries()) {
      const isOld = clock.now() - at >= (isSettled(sessionId) ? keepMs : UNSETTLED * keepMs);
      if (isKnown(sessionId) || !(isOld || (index >= most && isSettled(sessionId)))) continue;
      await this.remove(folder, sessionId).catch((error: unknown) =>
        log('warn', 'the folder of a session that has ended could not be removed', { sessionId, error }),
      );
    }
  }

  private async found(): Promise<Ended[]> {
    const { workdir, log } = this.options;
    const folders = path.join(workdir, 'sessions');
    const names = await namesIn(folders).catch((error: unknown) => {
      log('warn', 'folders of sessions that have ended could not be looked for', { error });
      return [];
    });
    const found = await Promise.all(names.map((name) => endedIn(path.join(folders, name))));
    // A mark that came with files of another session says nothing about this one.
    return found.filter((one) => one !== undefined).filter(({ folder, sessionId }) => sessionFolder(workdir, sessionId).root === folder);
  }

  /** Out of sight at once, so that a crash in the middle leaves nothing that looks like a session. */
  private async remove(folder: string, sessionId: string): Promise<void> {
    const bin = path.join(this.options.workdir, `${DOOMED}sessions`);
    await mkdir(bin, { recursive: true, mode: 0o700 });
    // It may have begun meanwhile. Nothing else happens between this look and the move.
    if (this.options.isKnown(sessionId)) return;
    renameSync(folder, path.join(bin, randomBytes(6).toString('hex')));
    await rm(bin, { recursive: true, force: true });
  }

  private mark(work: () => Promise<void>): Promise<void> {
    this.marking = this.marking.then(work).catch((error: unknown) => {
      // A session that never ran has no folder.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.options.log('warn', 'the end of a session could not be noted in its folder', { error });
    });
    return this.marking;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** Undefined of a session that goes on, and of what is not one of ours. */
async function endedIn(folder: string): Promise<Ended | undefined> {
  try {
    const { session_id: sessionId, at } = JSON.parse(await readFile(path.join(folder, MARK), 'utf8')) as { session_id?: unknown; at?: unknown };
    return typeof sessionId === 'string' && typeof at === 'number' ? { folder, sessionId, at } : undefined;
  } catch {
    // No mark, or half of one: its session ended a moment before the process did. Its folder stays.
    return undefined;
  }
}
