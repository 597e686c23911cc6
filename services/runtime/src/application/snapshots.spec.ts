import { FakeClock } from '@plexus/kernel';
import { FrameSender } from '@plexus/vm-protocol';
import { type CommandFrame, type JournalEntry, JournalState } from '../domain/journal-state.js';
import type { SnapshotBody } from './ports.js';
import { Snapshots, type SnapshotSource } from './snapshots.js';
import { Uplink } from './uplink.js';

type Sent = { session_id: string; method: string; params: Record<string, unknown> };

function bench(state = new JournalState(), maxBytes?: number) {
  const clock = new FakeClock();
  const sender = new FrameSender();
  const written: JournalEntry[] = [];
  const warnings: string[] = [];
  const uplink = new Uplink(sender, { append: (entry) => void written.push(entry), flush: () => undefined }, state);
  const log = (level: string, message: string): void => void (level === 'warn' && warnings.push(message));
  const snapshots = new Snapshots({ uplink, state, clock, log, ...(maxBytes !== undefined && { maxBytes }) });
  const sent = (): [string, unknown, unknown][] =>
    [...sender.pending()].map(({ text }) => {
      const { session_id, params } = JSON.parse(text) as Sent;
      return [session_id, params.version, params.unchanged ? 'unchanged' : params.checkpoint];
    });
  return { clock, state, snapshots, sent, written, warnings };
}

/** A session that says what it is told to. */
function sourceOf(id: string, ...says: (unknown | Error)[]): SnapshotSource & { asked: number } {
  const source = {
    id,
    asked: 0,
    async snapshot(): Promise<SnapshotBody | undefined> {
      const checkpoint = says[Math.min(source.asked++, says.length - 1)];
      if (checkpoint instanceof Error) throw checkpoint;
      return checkpoint === undefined ? undefined : { checkpoint, short_term_memory: {} };
    },
  };
  return source;
}

describe('snapshots', () => {
  it('go out with rising versions; what has not changed is not sent again', async () => {
    const { snapshots, sent, written } = bench();
    const a = sourceOf('a', 1, 1, 2);
    for (let n = 0; n < 3; n++) await snapshots.take(a);
    await snapshots.take(sourceOf('b', 'x'));
    expect(sent()).toEqual([
      ['a', 1, 1],
      ['a', 2, 2],
      ['b', 1, 'x'],
    ]);
    expect([snapshots.versionOf('a'), snapshots.versionOf('b'), snapshots.versionOf('c')]).toEqual([2, 1, 0]);
    expect(written.map(({ k }) => k)).toEqual(['up', 'snapshot', 'up', 'snapshot', 'up', 'snapshot']);
  });

  it('are taken every minute, of every session, until the runtime stops', async () => {
    const { snapshots, sent, clock } = bench();
    const stop = new AbortController();
    const loop = snapshots.run(() => [sourceOf('a', clock.now()), sourceOf('b', undefined)], stop.signal);
    await clock.advance(59_999);
    expect(sent()).toEqual([]);
    await clock.advance(120_001);
    expect(sent()).toHaveLength(3);
    stop.abort();
    await loop;
    expect(clock.pending).toBe(0);
  });

  it('of a session that throws or hangs do not hold up the others', async () => {
    const { snapshots, sent, clock, warnings } = bench();
    const hanging: SnapshotSource = { id: 'h', snapshot: () => new Promise(() => undefined) };
    const all = snapshots.takeAll([sourceOf('broken', new Error('no')), hanging, sourceOf('a', 1)]);
    await clock.advance(30_000);
    await all;
    expect(sent()).toEqual([['a', 1, 1]]);
    expect(warnings).toHaveLength(2);
  });

  it('asked for while one is made are made once more afterwards', async () => {
    const { snapshots, sent } = bench();
    const a = sourceOf('a', 1, 2);
    await Promise.all([snapshots.take(a), snapshots.take(a), snapshots.take(a)]);
    expect(a.asked).toBe(2);
    expect(sent().map(([, version]) => version)).toEqual([1, 2]);
  });

  it('that the mesh waits for are confirmed also where nothing has changed, by the number alone', async () => {
    const { snapshots, sent } = bench();
    const a = sourceOf('a', 1);
    await snapshots.take(a);
    await snapshots.takeAll([a, sourceOf('silent', undefined)], true);
    expect(sent()).toEqual([
      ['a', 1, 1],
      ['a', 1, 'unchanged'],
    ]);
  });

  it('that are too large stay here, and that is said once', async () => {
    const { snapshots, sent, warnings } = bench(new JournalState(), 100);
    const a = sourceOf('a', 'x'.repeat(100), 'y'.repeat(100), 'z');
    expect(snapshots.isSettled('a')).toBe(true);
    for (let n = 0; n < 2; n++) await snapshots.take(a);
    // The mesh has nothing of it: its files are all there is.
    expect(snapshots.isSettled('a')).toBe(false);
    await snapshots.take(a);
    expect(sent()).toEqual([['a', 1, 'z']]);
    expect(warnings).toEqual(['snapshot too large to be sent, it stays in the workspace']);
  });

  it('go on numbering where an earlier process or incarnation stopped', async () => {
    const first = bench();
    await first.snapshots.take(sourceOf('a', 1));
    await first.snapshots.take(sourceOf('a', 2));
    const restarted = new JournalState();
    for (const entry of [...first.state.entries()]) restarted.apply(entry);
    const second = bench(restarted);
    await second.snapshots.take(sourceOf('a', 2));
    expect(second.sent()).toEqual([]);
    const successor = new JournalState();
    for (const entry of [...restarted.legacy()]) successor.apply(entry);
    const third = bench(successor);
    await third.snapshots.take(sourceOf('a', 2));
    expect(third.sent()).toEqual([['a', 3, 2]]);
  });

  it('go on behind the one that the mesh hands over, whose content is forgotten once the session has said something newer', async () => {
    const { state, snapshots, sent } = bench();
    const data = { session_id: 'a', agent_id: 'main', snapshot: { version: 7, body: { checkpoint: 1 } } };
    state.apply({ k: 'down', fseq: 1, frame: { type: 'start_session', data } as unknown as CommandFrame });
    expect(snapshots.versionOf('a')).toBe(7);
    expect(state.sessions.get('a')?.snapshot?.body).toEqual({ checkpoint: 1 });
    await snapshots.take(sourceOf('a', 2));
    expect(sent()).toEqual([['a', 8, 2]]);
    expect(state.sessions.get('a')?.snapshot).toEqual({ version: 7 });
  });

  it('are noted when the mesh confirms them', async () => {
    const { snapshots } = bench();
    await snapshots.take(sourceOf('a', 1));
    snapshots.acked({ type: 'snapshot_ack', session_id: 'a', version: 1 });
    snapshots.acked({ type: 'snapshot_ack', session_id: 'a', version: 9 });
    snapshots.acked({ type: 'snapshot_ack', version: 1 });
    expect([snapshots.confirmedOf('a'), snapshots.confirmedOf('b')]).toEqual([1, 0]);
  });
});
