import { windowFor } from '@plexus/context-window';
import type { Database } from '@plexus/database';
import { PersonEraser } from '../src/adapters/postgres/person-eraser.js';
import { PostgresMemoryRetention } from '../src/adapters/postgres/memory-retention.js';
import { PostgresState } from '../src/adapters/postgres/postgres-state.js';
import { inTenant } from '../src/adapters/postgres/tenant-transaction.js';
import { SweepSessions } from '../src/application/sweep-sessions.js';
import { BACKENDS, type Memory, memoryOn, newCaller, query } from './support/backends.js';
import { said, sessionsOn } from './support/sessions.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

describe.each(BACKENDS)('sessions in memory, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;
  const session = { sessionId: 's1', sessionKey: 'agent:main:main' };

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());
  beforeEach(() => {
    memory = memoryOn(database);
  });

  it('messages have a sequence without gaps, and one that comes twice is one', async () => {
    const me = newCaller();
    const { sessions } = sessionsOn(database, memory);
    const first = [said(1, 'one'), said(2, 'two', { toolCalls: [{ id: 'a', name: 'look', arguments: '{"x":1}' }] }), said(1, 'one')];
    await expect(sessions.append(me, session, first)).resolves.toMatchObject({ appended: 2, duplicates: 1, record: { lastSeq: 2 } });
    const at = '2026-11-20T09:00:00.000Z';
    const second = [said(2, 'two'), said(3, 'a\0b', { role: 'tool', toolCallId: 'a', toolName: 'look', at, runId: 'r' })];
    await expect(sessions.append(me, session, second)).resolves.toMatchObject({ appended: 1, duplicates: 1, record: { lastSeq: 3 } });
    const { messages } = await sessions.messages(me, 's1', undefined, { after: 0, limit: 10 });
    expect(messages).toEqual([
      { seq: 1, messageId: 'm1', role: 'user', text: 'one', untrusted: false, tokens: 5, at: new Date(memory.clock.now()) },
      expect.objectContaining({ seq: 2, toolCalls: [{ id: 'a', name: 'look', arguments: '{"x":1}' }] }),
      expect.objectContaining({ seq: 3, text: 'a\ufffdb', toolCallId: 'a', toolName: 'look', untrusted: true, runId: 'r', at: new Date(at) }),
    ]);
  });

  it('twenty writers at once make one sequence', async () => {
    const me = newCaller();
    const { sessions } = sessionsOn(database, memory);
    await Promise.all(Array.from({ length: 20 }, (_, n) => sessions.append(me, session, [said(n, `text ${n}`)])));
    const { messages, record } = await sessions.messages(me, 's1', undefined, { after: 0, limit: 50 });
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(record.lastSeq).toBe(20);
  });

  it('messages of a transcript wait for the one before them; of another owner’s session none is taken', async () => {
    const { tenant } = newCaller();
    const { sessions, store } = sessionsOn(database, memory);
    const identity = { ...session, owner: 'me', agentId: 'main' };
    const take = (sourceSeq: number, inOrder = true, owner = 'me') =>
      sessions.fromTranscript(tenant, { ...identity, owner }, [{ ...said(sourceSeq, `text ${sourceSeq}`), sourceSeq }], inOrder);
    await expect(take(5)).resolves.toBe('early');
    await expect(take(5, false)).resolves.toBe('appended');
    await expect(take(7)).resolves.toBe('early');
    await expect(take(6)).resolves.toBe('appended');
    await expect(take(7)).resolves.toBe('appended');
    await expect(take(9, false)).resolves.toBe('appended');
    await expect(take(8)).resolves.toBe('appended');
    await expect(take(10, true, 'you')).resolves.toBe('foreign');
    const kept = await store.messages(tenant, 's1', 0, 10);
    expect(kept.map(({ messageId }) => messageId)).toEqual(['m5', 'm6', 'm7', 'm9', 'm8']);
  });

  it('three cycles are three flushes, and every message that was dropped is found by its text (27)', async () => {
    const me = newCaller();
    const { sessions, store } = sessionsOn(database, memory, { window: windowFor({ configuredTokens: 24_000 }) });
    const topics = ['备份保存在東京機房', 'router password', 'ticket', '数据库连接', 'coffee machine'];
    const texts: string[] = [];
    for (let n = 1, compactions = 0; compactions < 3; n += 1) {
      const text = `${topics[n % topics.length]} number${n} ${`filler${n % 4} `.repeat(400)}`;
      texts.push(text);
      ({
        record: { compactions },
      } = await sessions.append(me, session, [said(n, text)]));
    }
    const record = await store.read(me.tenant, 's1');
    const [{ flushes } = { flushes: 0 }] = await inTenant(database, me.tenant, (tx) =>
      tx.query<{ flushes: number }>('test_flushes', 'SELECT count(*)::int AS flushes FROM session_flush'),
    );
    expect(flushes).toBe(3);
    expect(record?.compactedUpto).toBeLessThanOrEqual(record?.flushedUpto ?? 0);
    for (const text of texts.slice(0, record?.compactedUpto)) {
      const wanted = text.split(' filler')[0] as string;
      const scopes = [{ kind: 'session' as const, id: session.sessionKey }];
      const { hits } = await memory.search.execute(me, query(wanted, { scopes, k: 5 }));
      expect([wanted, hits[0]?.score]).toEqual([wanted, 0.8]);
      expect(hits[0]).toMatchObject({ kind: 'episode', metadata: { session: 's1' } });
    }
  });

  it('a flush that is repeated, and one that ten ask for at once, is one', async () => {
    const me = newCaller();
    const { sessions } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'where is the backup'), said(2, 'in the cellar')]);
    await Promise.all(Array.from({ length: 10 }, () => sessions.flush(me, 's1', undefined)));
    await expect(sessions.flush(me, 's1', undefined)).resolves.toMatchObject({ episodes: 0 });
    await expect(memory.read.list(me, { scope: { kind: 'session', id: session.sessionKey }, limit: 10 })).resolves.toMatchObject({ memories: { length: 1 } });
  });

  it('the database refuses a mark of compaction beyond that of the flush, and changes no message', async () => {
    const me = newCaller();
    const { sessions, store } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'one'), said(2, 'two')]);
    await expect(store.compact(me.tenant, 's1', 1, 'x', new Date())).rejects.toMatchObject({ code: '23514' });
    await sessions.flush(me, 's1', undefined, 1);
    await expect(store.compact(me.tenant, 's1', 2, 'x', new Date())).rejects.toMatchObject({ code: '23514' });
    await expect(store.compact(me.tenant, 's1', 1, 'x', new Date())).resolves.toMatchObject({ compactedUpto: 1 });
    const change = inTenant(database, me.tenant, (tx) => tx.query('test_change', `UPDATE session_msg SET content = 'other'`));
    await expect(change).rejects.toMatchObject({ code: '42501' });
  });

  it('tenants with the same sessions do not see each other', async () => {
    const [one, two] = [newCaller(), newCaller()];
    const { sessions } = sessionsOn(database, memory);
    await sessions.append(one, session, [said(1, 'mine')]);
    await expect(sessions.messages(two, 's1', undefined, { limit: 1 })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await sessions.append(two, session, [said(1, 'theirs')]);
    await expect(sessions.messages(one, 's1', undefined, { limit: 5 })).resolves.toMatchObject({ messages: [{ text: 'mine' }] });
  });

  it('a person is forgotten with sessions and state, and late messages bring nothing back', async () => {
    const me = newCaller();
    const { sessions, store } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'secret one')]);
    await sessions.flush(me, 's1', undefined);
    await new PostgresState(database, memory.clock, me.tenant, 'me').put('r', 'x', 'secret');
    const message = { subject: 'test', msgId: `erased-${me.tenant}`, body: Buffer.from('') };
    const eraser = new PersonEraser(
      database,
      () => message,
      () => undefined,
    );
    await expect(eraser.erase(me.tenant, 'me', 'e1', new Date(memory.clock.now()))).resolves.toMatchObject({ memories: 1, sessionMessages: 1, stateValues: 1 });
    await expect(sessions.fromTranscript(me.tenant, { ...session, owner: 'me' }, [{ ...said(2, 'late'), sourceSeq: 2 }], true)).resolves.toBe('gone');
    await expect(sessions.append(me, session, [said(3, 'late')])).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(store.messages(me.tenant, 's1', 0, 10)).resolves.toEqual([]);
    const rows = await inTenant(database, me.tenant, (tx) => tx.query('test_traces', 'SELECT owner, session_key, summary FROM session_mark'));
    expect(rows).toEqual([{ owner: '', session_key: '', summary: null }]);
  });

  it('a deleted session keeps no message; what left the context goes when its retention is over', async () => {
    const me = newCaller();
    const { sessions, store } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'one'), said(2, 'two'), said(3, 'three')]);
    await sessions.compact(me, 's1', undefined, { upto: 2 });
    await sessions.append(me, { ...session, sessionId: 's2' }, [said(1, 'other')]);
    await expect(sessions.forget(me.tenant, 's2')).resolves.toBe(1);
    const sweep = new SweepSessions(store, new PostgresMemoryRetention(database), memory.clock, 90);
    await memory.clock.advance(89 * DAY_MS);
    await sweep.execute();
    await expect(store.messages(me.tenant, 's1', 0, 10)).resolves.toHaveLength(3);
    await memory.clock.advance(2 * DAY_MS);
    await sweep.execute();
    await expect(store.messages(me.tenant, 's1', 0, 10)).resolves.toMatchObject([{ seq: 3 }]);
    await expect(sessions.append(me, session, [said(4, 'four')])).resolves.toMatchObject({ record: { lastSeq: 4 } });
    const marks = await inTenant(database, me.tenant, (tx) => tx.query('test_marks', 'SELECT session_id FROM session_mark'));
    expect(marks).toEqual([{ session_id: 's1' }]);
  });
});
