import type { Database } from '@plexus/database';
import { inTenant } from '../src/adapters/postgres/tenant-transaction.js';
import type { Caller } from '../src/domain/access.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';

describe.each(BACKENDS)('who sees what, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
    memory = memoryOn(database);
  });
  afterAll(() => close());

  it('tenants with the same users and texts see only their own (P1, 9)', async () => {
    const callers = Array.from({ length: 5 }, () => newCaller());
    const ids = new Map<Caller, string[]>();
    for (const caller of callers) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => memory.write.execute(caller, note(`shared text ${n}`))));
      ids.set(
        caller,
        answers.map(({ id }) => id),
      );
    }
    for (const caller of callers) {
      const own = new Set(ids.get(caller));
      for (const text of ['shared text', 'shared text 3', '3', ' ']) {
        const { hits } = await memory.search.execute(caller, query(text, { k: 50, minScore: 0 }));
        expect(hits.every(({ id }) => own.has(id))).toBe(true);
      }
      await expect(memory.search.execute(caller, query('shared text', { k: 50 }))).resolves.toMatchObject({ hits: { length: 10 } });
      await expect(memory.read.stats(caller)).resolves.toMatchObject({ memories: 10 });
      const strangers = callers.filter((other) => other !== caller).flatMap((other) => ids.get(other) ?? []);
      for (const id of strangers.slice(0, 3)) {
        await expect(memory.read.get(caller, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(memory.read.delete({ ...caller, privileged: true }, id)).resolves.toBe(false);
      }
    }
  });

  it('a user’s scope is its own; an administrator and a service reach it within the tenant', async () => {
    const me = newCaller();
    const you: Caller = { ...me, user: 'you' };
    const { id } = await memory.write.execute(me, note('mine alone'));
    const scope = { kind: 'user', id: 'me' } as const;
    await expect(memory.search.execute(you, query('mine', { scopes: [scope] }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(memory.read.list(you, { scope, limit: 5 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(memory.write.execute(you, note('x', { scope }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(memory.read.get(you, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(memory.read.delete(you, id)).resolves.toBe(false);
    for (const privileged of [
      { ...you, privileged: true },
      { tenant: me.tenant, credential: 'service', privileged: true },
    ]) {
      await expect(memory.search.execute(privileged, query('mine', { scopes: [scope] }))).resolves.toMatchObject({ hits: [{ id }] });
    }
    await expect(memory.search.execute({ tenant: me.tenant, credential: 'service', privileged: true }, query('mine'))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  it('two users’ sessions of the same key never mix', async () => {
    const me = newCaller();
    const you: Caller = { ...me, user: 'you' };
    const scope = { kind: 'session', id: 'agent:main:main' } as const;
    const mine = await memory.write.execute(me, note('same words', { scope }));
    const yours = await memory.write.execute(you, note('same words', { scope }));
    expect(yours).toMatchObject({ result: 'created' });
    await expect(memory.search.execute(me, query('same words', { scopes: [scope] }))).resolves.toMatchObject({ hits: [{ id: mine.id }] });
    await expect(memory.read.list(you, { scope, limit: 5 })).resolves.toMatchObject({ memories: [{ id: yours.id }] });
    await expect(memory.read.get(you, mine.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(memory.read.list({ ...you, privileged: true }, { scope, limit: 5 })).resolves.toMatchObject({ memories: { length: 2 } });
  });

  it('shared memories are read by all of the tenant and deleted by their author', async () => {
    const me = newCaller();
    const you: Caller = { ...me, user: 'you' };
    const { id } = await memory.write.execute(me, note('team lunch', { scope: { kind: 'shared', id: 'team' } }));
    await expect(memory.read.get(you, id)).resolves.toMatchObject({ content: 'team lunch' });
    await expect(memory.read.delete(you, id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(memory.read.delete(me, id)).resolves.toBe(true);
  });

  describe('row security', () => {
    const count = 'SELECT count(*)::int AS n FROM memory';

    it('shows a statement that forgot its tenant predicate only the rows of the tenant that is set', async () => {
      const me = newCaller();
      const other = newCaller();
      await memory.write.execute(me, note('one'));
      await memory.write.execute(other, note('two'));
      await memory.write.execute(other, note('three'));
      const seen = (tenant: string) => inTenant(database, tenant, (tx) => tx.query<{ n: number }>('test_forgetful', count));
      expect(await seen(me.tenant)).toEqual([{ n: 1 }]);
      expect(await seen(other.tenant)).toEqual([{ n: 2 }]);
    });

    it('shows nothing at all without a tenant', async () => {
      await memory.write.execute(newCaller(), note('one'));
      const seen = await database.transaction(async (tx) => {
        await tx.script('SET LOCAL ROLE plexus_app');
        return tx.query('test_no_tenant', count);
      });
      expect(seen).toEqual([{ n: 0 }]);
    });

    it('refuses to write into another tenant', async () => {
      const me = newCaller();
      const insert = (tenant: string) =>
        inTenant(database, me.tenant, (tx) =>
          tx.query('test_foreign_insert', `INSERT INTO tombstone (tenant_id, memory_id, content_mac, deleted_at) VALUES ($1, 'm', '', now())`, [tenant]),
        );
      await expect(insert('someone-else')).rejects.toMatchObject({ code: '42501' });
      await expect(insert(me.tenant)).resolves.toEqual([]);
    });

    it('keeps the keys of tenants from the role of ordinary statements', async () => {
      await expect(inTenant(database, newCaller().tenant, (tx) => tx.query('test_keys', 'SELECT * FROM tenant'))).rejects.toMatchObject({ code: '42501' });
    });

    it('ends with the transaction', async () => {
      await inTenant(database, newCaller().tenant, (tx) => tx.query('test_inside', 'SELECT 1 AS one'));
      const [after] = await database.query<{ role: string; tenant: string | null }>(
        'test_after',
        `SELECT current_setting('role') AS role, NULLIF(current_setting('plexus.tenant', true), '') AS tenant`,
      );
      expect(after).toMatchObject({ tenant: null });
      expect(after?.role).not.toBe('plexus_app');
    });
  });
});
