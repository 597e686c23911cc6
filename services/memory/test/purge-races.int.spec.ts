import type { Database, Tx } from '@plexus/database';
import { FakeClock, ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { PostgresMemoryPurger } from '../src/adapters/postgres/memory-purger.js';
import { inTenant } from '../src/adapters/postgres/tenant-transaction.js';
import { PurgeMemories } from '../src/application/purge-memories.js';
import { type Backend, BACKENDS, type Memory, memoryOn, newCaller } from './support/backends.js';
import { said, sessionsOn } from './support/sessions.js';

const LIMIT = { timeoutMs: 60_000 };

/** What others do at the same moment; only a real Postgres does two things at once. */
describe('a purge while others go on', () => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;
  const session = { sessionId: 's1', sessionKey: 'agent:main:main' };

  beforeAll(async () => {
    ({ database, close } = await (BACKENDS.find(({ name }) => name !== 'pglite') as Backend).open());
  });
  afterAll(() => close?.());
  beforeEach(() => {
    memory = memoryOn(database);
  });

  const count = async (tenant: string, table: string) =>
    (await database.query(`test_count_${table}`, `SELECT 1 AS one FROM ${table} WHERE tenant_id = $1`, [tenant])).length;
  const someWaits = async () => {
    const text = `SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    return (await database.query('test_waits', text, [])).length > 0;
  };
  /** Holds the session as an append does, until it is let go. */
  function appending(tenant: string) {
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let begun = false;
    const done = inTenant(database, tenant, async (tx: Tx) => {
      await tx.query('test_lock', `SELECT 1 AS one FROM session_mark WHERE tenant_id = $1 AND session_id = 's1' FOR UPDATE`, [tenant]);
      begun = true;
      await held;
      const insert = `INSERT INTO session_msg (tenant_id, session_id, owner, seq, message_id, role, content, untrusted, tokens, at)
                      VALUES ($1, 's1', 'me', 2, 'late', 'user', 'late', false, 1, now())`;
      await tx.query('test_append', insert, [tenant]);
      await tx.query('test_advance', `UPDATE session_mark SET last_seq = 2 WHERE tenant_id = $1 AND session_id = 's1'`, [tenant]);
    });
    return { begun: () => waitFor(() => begun, LIMIT), letGo: () => letGo(), done };
  }

  it.each([
    ['a person', {}],
    ['a session', { scope: { kind: 'session', id: session.sessionKey } as const }],
  ])('of %s leaves no message that was just being appended', async (_of, whose) => {
    const me = newCaller();
    const { sessions } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'one')]);
    const append = appending(me.tenant);
    await append.begun();
    const purged = memory.purge.execute(me, whose);
    await waitFor(someWaits, { ...LIMIT, what: 'the purge to wait for the append' });
    append.letGo();
    await append.done;
    await expect(purged).resolves.toMatchObject({ counts: { sessionMessages: 2, sessions: 1 } });
    await expect(count(me.tenant, 'session_msg')).resolves.toBe(0);
    await expect(sessions.append(me, session, [said(3, 'anew')])).resolves.toMatchObject({ appended: 1, record: { lastSeq: 1 } });
  });

  it('leaves no memory of messages that are flushed in its midst', async () => {
    const me = newCaller();
    const { sessions } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'secret one'), said(2, 'secret two')]);
    const purger = new PostgresMemoryPurger(database);
    const inTheMidst = {
      sources: purger.sources.bind(purger),
      caches: purger.caches.bind(purger),
      memories: async (...given: Parameters<PostgresMemoryPurger['memories']>) => {
        const batch = await purger.memories(...given);
        await sessions.flush(me, 's1', undefined).catch(() => undefined); // nothing is left to be flushed
        return batch;
      },
    };
    const nothing = { purge: async () => 0 };
    await new PurgeMemories(inTheMidst, nothing, memory.keys, new FakeClock(0), () => ulid()).execute(me, {});
    await expect(count(me.tenant, 'memory')).resolves.toBe(0);
  });

  it('takes back what a flush that was under way had written, also when the session has begun anew', async () => {
    const me = newCaller();
    const { sessions, store } = sessionsOn(database, memory);
    await sessions.append(me, session, [said(1, 'secret')]);
    const now = new Date(memory.clock.now());
    const range = await store.beginFlush(me.tenant, 's1', 1, now);
    await memory.purge.execute(me, {});
    await sessions.append(me, session, [said(2, 'anew')]);
    await expect(store.endFlush(me.tenant, 's1', range as { from: number; to: number }, now)).resolves.toBeUndefined();
    await expect(store.read(me.tenant, 's1')).resolves.toMatchObject({ lastSeq: 1, flushedUpto: 0 });
  });
});
