import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FakeClock } from '@plexus/kernel';
import { EndedSessions, type EndedSessionsOptions } from '../src/adapters/file/ended-sessions.js';
import { sessionFolder } from '../src/domain/session-folder.js';
import { scratchFolder } from './support/runtime-process.js';

const HOUR = 3_600_000;

describe('the folder of a session that has ended', () => {
  const folder = scratchFolder();
  const clock = new FakeClock();
  const known = new Set<string>();
  const unsettled = new Set<string>();
  const logged: string[] = [];
  let workdir: string;
  let count = 0;

  const keeper = (options: Partial<EndedSessionsOptions> = {}): EndedSessions =>
    new EndedSessions({
      workdir,
      keepMs: HOUR,
      isSettled: (sessionId) => !unsettled.has(sessionId),
      isKnown: (sessionId) => known.has(sessionId),
      clock,
      log: (_level, message) => void logged.push(message),
      ...options,
    });
  const work = (sessionId: string): void => {
    const { workspace } = sessionFolder(workdir, sessionId);
    mkdirSync(workspace, { recursive: true });
    writeFileSync(path.join(workspace, 'file'), 'x');
  };
  const isThere = (sessionId: string): boolean => existsSync(path.join(sessionFolder(workdir, sessionId).workspace, 'file'));

  beforeEach(() => {
    count += 1;
    workdir = path.join(folder.path, `work-${count}`);
    known.clear();
    unsettled.clear();
    logged.length = 0;
  });
  afterEach(() => expect(logged).toEqual([]));
  afterAll(() => folder.remove());

  it('is kept for a while, then removed as a whole, also by the next process; those of other sessions stay', async () => {
    for (const sessionId of ['over', 'going-on', 'forgotten']) work(sessionId);
    await keeper().ended('over');
    await clock.advance(HOUR - 1);
    await keeper().sweep();
    expect(isThere('over')).toBe(true);
    await clock.advance(1);
    await keeper().sweep();
    expect(['over', 'going-on', 'forgotten'].map(isThere)).toEqual([false, true, true]);
    expect(readdirSync(workdir)).toEqual(['sessions']);
    expect(readdirSync(path.join(workdir, 'sessions'))).toHaveLength(2);
  });

  it('stays longer while the mesh has not confirmed its snapshot, and not for ever', async () => {
    const sessions = keeper({ most: 0 });
    for (const sessionId of ['a', 'b']) {
      work(sessionId);
      unsettled.add(sessionId);
      await sessions.ended(sessionId);
    }
    await clock.advance(6 * HOUR);
    await sessions.sweep();
    expect(['a', 'b'].map(isThere)).toEqual([true, true]);
    unsettled.delete('a');
    await sessions.sweep();
    expect(['a', 'b'].map(isThere)).toEqual([false, true]);
    await clock.advance(HOUR);
    await sessions.sweep();
    expect(isThere('b')).toBe(false);
  });

  it('belongs to the session again when that begins anew, whatever comes first', async () => {
    for (const sessionId of ['again', 'at-once']) work(sessionId);
    const sessions = keeper();
    await sessions.ended('again');
    await sessions.begun('again');
    known.add('at-once');
    await sessions.ended('at-once');
    known.clear();
    await clock.advance(10 * HOUR);
    await sessions.sweep();
    expect(['again', 'at-once'].map(isThere)).toEqual([true, true]);
  });

  it('goes earlier when there are too many: the oldest first', async () => {
    const sessions = keeper({ most: 2 });
    for (const sessionId of ['a', 'b', 'c']) {
      work(sessionId);
      await sessions.ended(sessionId);
      await clock.advance(1_000);
    }
    await sessions.sweep();
    expect(['a', 'b', 'c'].map(isThere)).toEqual([false, true, true]);
  });

  it('need not exist, and nothing that is not marked as ended is touched', async () => {
    const sessions = keeper({ keepMs: 0 });
    await sessions.ended('never-ran');
    await sessions.sweep();
    work('a');
    writeFileSync(path.join(sessionFolder(workdir, 'a').root, 'ended.json'), '{"session_id":');
    await sessions.sweep();
    expect(isThere('a')).toBe(true);
  });

  it('is not taken away from a session that begins at that very moment', async () => {
    work('now');
    let looks = 0;
    // Somebody begins it right after it was looked at.
    const sessions = keeper({ keepMs: 0, isKnown: (sessionId) => known.has(sessionId) || (sessionId === 'now' && ++looks > 1) });
    const { root } = sessionFolder(workdir, 'now');
    writeFileSync(path.join(root, 'ended.json'), JSON.stringify({ session_id: 'now', at: 0 }));
    await sessions.sweep();
    expect(isThere('now')).toBe(true);
  });

  it('is that of the session that its mark names: a copied mark means nothing', async () => {
    for (const sessionId of ['over', 'live']) work(sessionId);
    const sessions = keeper({ keepMs: 0 });
    await sessions.ended('over');
    known.add('live');
    copyFileSync(path.join(sessionFolder(workdir, 'over').root, 'ended.json'), path.join(sessionFolder(workdir, 'live').root, 'ended.json'));
    await sessions.sweep();
    expect(['over', 'live'].map(isThere)).toEqual([false, true]);
  });

  it('is looked for again later when the folders cannot be read now', async () => {
    mkdirSync(workdir, { recursive: true });
    writeFileSync(path.join(workdir, 'sessions'), 'not a folder');
    const stop = new AbortController();
    const sweeping = keeper().run(stop.signal);
    await clock.advance(600_000);
    stop.abort();
    await sweeping;
    expect(logged.splice(0)).toContain('folders of sessions that have ended could not be looked for');
  });
});
