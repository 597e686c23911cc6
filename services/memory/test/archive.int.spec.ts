import type { Database } from '@plexus/database';
import { ArchiveDigest, type memoryArchiveContracts } from '@plexus/contracts';
import type { Caller } from '../src/domain/access.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';

type Manifest = memoryArchiveContracts.ArchiveManifest;

describe.each(BACKENDS)('whole users and scopes, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());
  beforeEach(() => {
    memory = memoryOn(database);
  });

  const admin = (rest: Partial<Caller> = {}): Caller => newCaller({ privileged: true, ...rest });

  async function exported(caller: Caller, whose: object = {}, limit = 3): Promise<{ lines: string[]; manifest: Manifest }> {
    const lines: string[] = [];
    let asOf = new Date(0);
    for (let cursor: string | undefined; ; ) {
      const page = await memory.exporting.execute(caller, { ...whose, limit, ...(cursor === undefined ? {} : { cursor }) });
      lines.push(...page.lines);
      ({ asOf } = page);
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    const digest = new ArchiveDigest();
    for (const line of lines) digest.add(line);
    return { lines, manifest: digest.manifest(asOf.toISOString()) };
  }

  async function imported(caller: Caller, lines: readonly string[], manifest: Manifest, importId = 'import-1') {
    for (let from = 0; from < lines.length; from += 4) {
      await memory.importing.execute(caller, { importId, from, lines: lines.slice(from, from + 4) });
    }
    return memory.importing.execute(caller, { importId, from: lines.length, lines: [], manifest });
  }

  async function writeSome(me: Caller, count = 9): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const kind = n % 2 === 0 ? 'fact' : 'note';
      const { id } = await memory.write.execute(me, note(`memory ${n} 关于数据库 "quoted" \n line`, { kind, metadata: { n, tags: ['a'] }, importance: 0.5 }));
      ids.push(id);
      await memory.clock.advance(1_000);
    }
    return ids;
  }

  const rows = (tenant: string, table: string) => database.query(`test_rows_${table}`, `SELECT * FROM ${table} WHERE tenant_id = $1`, [tenant]);

  describe('export and import', () => {
    it('gives an empty tenant the same memories: ids, times, history and answers (P12, 35)', async () => {
      const me = admin();
      const ids = await writeSome(me);
      const updated = await memory.write.update(me, ids[2] as string, { content: 'memory 2 moved to Shanghai' });
      await memory.write.execute(me, note('a session’s', { scope: { kind: 'session', id: 'agent:main:main' } }));
      await memory.write.execute(me, note('expires', { expiresAt: new Date(memory.clock.now() + 60_000).toISOString(), evergreen: true }));
      await memory.read.delete(me, ids[4] as string);
      const { lines, manifest } = await exported(me);
      expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual([...lines.map((line) => (JSON.parse(line) as { id: string }).id)].sort());
      expect(lines).toHaveLength(11);

      const you = admin();
      await expect(imported(you, lines, manifest)).resolves.toEqual({ importId: 'import-1', staged: 11, done: true, created: 11, present: 0, expired: 0 });
      expect((await exported(you)).lines).toEqual(lines);
      for (const text of ['memory', '数据库', 'memory 3', 'Shanghai', 'expires']) {
        const [before, after] = await Promise.all([me, you].map((caller) => memory.search.execute(caller, query(text, { includeHistory: true, k: 50 }))));
        expect(after?.hits).toEqual(before?.hits);
      }
      await expect(memory.read.get(you, updated.id)).resolves.toMatchObject({ rev: 2 });
      await expect(memory.read.get(you, ids[2] as string)).resolves.toMatchObject({ supersededBy: updated.id });
    });

    it('comes back after a purge as it was (P12)', async () => {
      const me = newCaller();
      await writeSome(me);
      const before = await memory.search.execute(me, query('memory 3', { k: 50 }));
      const { lines, manifest } = await exported(me);
      const receipt = await memory.purge.execute(me, {});
      expect(receipt.counts).toMatchObject({ memories: 9 });
      expect((await memory.search.execute(me, query('memory 3'))).hits).toEqual([]);
      await expect(imported(me, lines, manifest)).resolves.toMatchObject({ created: 9 });
      expect((await memory.search.execute(me, query('memory 3', { k: 50 }))).hits).toEqual(before.hits);
      expect(await rows(me.tenant, 'tombstone')).toEqual([]);
    });

    it('changes nothing when it is repeated, page by page or as a whole', async () => {
      const me = newCaller();
      await writeSome(me);
      const { lines, manifest } = await exported(me);
      await memory.purge.execute(me, {});
      const request = { importId: 'i', from: 0, lines };
      await memory.importing.execute(me, request);
      await expect(memory.importing.execute(me, request)).resolves.toMatchObject({ staged: 9, done: false });
      const finish = { importId: 'i', from: 9, lines: [], manifest };
      const first = await memory.importing.execute(me, finish);
      expect(first).toMatchObject({ done: true, created: 9, present: 0 });
      await expect(memory.importing.execute(me, finish)).resolves.toEqual(first);
      await expect(imported(me, lines, manifest, 'again')).resolves.toMatchObject({ created: 0, present: 9 });
      await expect(memory.read.stats(me)).resolves.toMatchObject({ memories: 9 });
    });

    it.each([
      ['half a file', (lines: string[]) => lines.slice(0, 5)],
      ['a line that was changed', (lines: string[]) => lines.map((line, n) => (n === 3 ? line.replace('memory 3', 'memory 4') : line))],
      ['lines in another order', (lines: string[]) => [...lines].reverse()],
      ['a line too many', (lines: string[]) => [...lines, (lines[0] as string).replace('mem_', 'mem_x')]],
    ])('refuses %s, and leaves nothing of it', async (_what, spoil) => {
      const me = newCaller();
      await writeSome(me);
      const { lines, manifest } = await exported(me);
      const you = newCaller();
      await expect(imported(you, spoil(lines), manifest)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      await expect(memory.read.stats(you)).resolves.toMatchObject({ memories: 0 });
      expect(await rows(you.tenant, 'memory_import')).toEqual([]);
      await expect(imported(you, lines, manifest)).resolves.toMatchObject({ created: 9 });
    });

    it('shows nothing of an import that is under way, and forgets one that nobody finishes', async () => {
      const me = newCaller();
      await writeSome(me, 4);
      const { lines } = await exported(me);
      const you = newCaller();
      await memory.importing.execute(you, { importId: 'i', from: 0, lines });
      await expect(memory.search.execute(you, query('memory'))).resolves.toMatchObject({ hits: [] });
      await expect(memory.read.list(you, { limit: 10 })).resolves.toEqual({ memories: [] });
      await memory.clock.advance(25 * 3_600_000);
      await memory.sweep.execute();
      expect(await rows(you.tenant, 'memory_import')).toEqual([]);
    });

    it('takes only what is whole and one’s own, and says which line is not', async () => {
      const me = newCaller();
      await writeSome(me, 1);
      const { lines } = await exported(me);
      const take = (caller: Caller, line: string) => memory.importing.execute(caller, { importId: 'i', from: 7, lines: [line] });
      await expect(take(me, 'nonsense')).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('Line 8') });
      await expect(take(me, '{"id":"mem_1"}')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      await expect(take({ ...me, user: 'you' }, lines[0] as string)).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(take(me, JSON.stringify({ ...JSON.parse(lines[0] as string), content: 'x'.repeat(65_537) }))).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
      const forged = JSON.stringify({ ...JSON.parse(lines[0] as string), scope: { kind: 'shared', id: 'all' }, author: 'boss', origin: 'owner' });
      const digest = new ArchiveDigest();
      digest.add(forged);
      const manifest = digest.manifest('2026-11-21T10:00:00.000Z');
      const you = newCaller();
      await imported(you, [forged], manifest);
      const stored = await memory.read.get(you, (JSON.parse(forged) as { id: string }).id);
      expect(stored).toMatchObject({ author: 'me' });
      expect(stored.origin).toBeUndefined();
    });

    it('brings back what was deleted where it was, and touches nothing that was deleted of others', async () => {
      const me = newCaller();
      const you: Caller = { ...me, user: 'you' };
      const [mine] = await writeSome(me, 1);
      const { id: yours } = await memory.write.execute(you, note('yours'), 'your-key');
      const { lines } = await exported(me);
      await memory.read.delete(me, mine as string);
      await memory.read.delete(you, yours);
      const digest = new ArchiveDigest();
      const both = [...lines, (lines[0] as string).replaceAll(mine as string, yours).replace('memory 0', 'forged')];
      for (const line of both) digest.add(line);
      await expect(imported(me, both, digest.manifest('2026-11-21T10:00:00.000Z'))).resolves.toMatchObject({ created: 1, present: 1 });
      const traces = (await rows(me.tenant, 'tombstone')) as { memory_id: string }[];
      expect(traces.map(({ memory_id }) => memory_id)).toEqual([yours]);
      const kept = (await rows(me.tenant, 'memory')) as { id: string; scope_id: string; deleted_at: Date | null }[];
      expect(kept.find(({ id }) => id === yours)).toMatchObject({ scope_id: 'you', deleted_at: expect.any(Date) });
      expect(kept.find(({ id }) => id === mine)).toMatchObject({ scope_id: 'me', deleted_at: null });
    });

    it('whose last page is repeated while the first one is still at work is answered like the first', async () => {
      const me = newCaller();
      await writeSome(me, 3);
      const { lines, manifest } = await exported(me);
      await memory.purge.execute(me, {});
      await memory.importing.execute(me, { importId: 'i', from: 0, lines });
      const last = () => memory.importing.execute(me, { importId: 'i', from: lines.length, lines: [], manifest });
      for (const answer of await Promise.all([last(), last(), last()])) expect(answer).toMatchObject({ done: true, created: 3, present: 0 });
      await expect(last()).resolves.toMatchObject({ done: true, created: 3 });
    });

    it('is for oneself and one’s scopes; an administrator may export others', async () => {
      const me = newCaller();
      await writeSome(me, 2);
      const you = { ...me, user: 'you' };
      await expect(memory.exporting.execute(you, { user: 'me', limit: 10 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(memory.exporting.execute(you, { scope: { kind: 'user', id: 'me' }, limit: 10 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(memory.exporting.execute(you, { limit: 10, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect((await memory.exporting.execute(you, { limit: 10 })).lines).toEqual([]);
      expect((await memory.exporting.execute({ ...you, privileged: true }, { user: 'me', limit: 10 })).lines).toHaveLength(2);
      expect((await memory.exporting.execute(newCaller({ privileged: true }), { user: 'me', limit: 10 })).lines).toEqual([]);
    });

    it('fits every page into one message, whatever the contents', async () => {
      const me = newCaller();
      for (let n = 0; n < 6; n += 1) await memory.write.execute(me, note(`${n}${'\u0001'.repeat(65_000)}`));
      let pages = 0;
      for (let cursor: string | undefined; ; ) {
        const page = await memory.exporting.execute(me, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
        expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(1_000_000);
        pages += 1;
        cursor = page.nextCursor;
        if (cursor === undefined) break;
      }
      expect(pages).toBeGreaterThan(1);
    });
  });

  describe('purge', () => {
    it('removes everything of a person and nothing of others, and leaves only MACs', async () => {
      const me = newCaller();
      const you: Caller = { ...me, user: 'you' };
      await writeSome(me, 3);
      await memory.write.execute(me, note('with a key'), 'key-1');
      await memory.write.execute(me, note('my session’s', { scope: { kind: 'session', id: 's1' } }));
      await memory.write.execute(me, note('for all, from me', { scope: { kind: 'shared', id: 'all' } }));
      await memory.write.execute(you, note('for all, from you', { scope: { kind: 'shared', id: 'all' } }));
      await memory.write.execute(you, note('yours'));
      const { counts, ...receipt } = await memory.purge.execute(me, {});
      expect(counts).toMatchObject({ memories: 6, idempotencyResults: 1 });
      const scopes = [...new Set(memory.purgedScopes)].sort();
      expect(scopes).toEqual([`${me.tenant} session:s1 by me`, `${me.tenant} shared:all by me`, `${me.tenant} user:me`]);
      const left = (await rows(me.tenant, 'memory')) as { content: string }[];
      expect(left.map(({ content }) => content).sort()).toEqual(['for all, from you', 'yours']);
      const tombstones = (await rows(me.tenant, 'tombstone')) as Record<string, unknown>[];
      expect(tombstones).toHaveLength(6);
      for (const tombstone of tombstones) expect(Object.keys(tombstone).sort()).toEqual(['content_mac', 'deleted_at', 'memory_id', 'tenant_id']);
      expect(JSON.stringify(receipt)).not.toContain('"me"');
      await expect(memory.purge.execute(me, {})).resolves.toMatchObject({ counts: { memories: 0 } });
    });

    it('gives a receipt that only this tenant’s key makes', async () => {
      const me = newCaller();
      await writeSome(me, 1);
      const receipt = await memory.purge.execute(me, {});
      await expect(memory.purge.check(me, receipt, { user: 'me' })).resolves.toEqual({ genuine: true, matches: true });
      await expect(memory.purge.check(me, receipt, { user: 'you' })).resolves.toEqual({ genuine: true, matches: false });
      await expect(memory.purge.check(me, receipt, {})).resolves.toEqual({ genuine: true });
      await expect(memory.purge.check(me, { ...receipt, counts: { memories: 2 } }, {})).resolves.toEqual({ genuine: false });
      await expect(memory.purge.check(newCaller(), receipt, {})).resolves.toEqual({ genuine: false });
    });

    it('of a scope is its user’s or an administrator’s, and leaves other scopes alone', async () => {
      const me = newCaller();
      const shared = { kind: 'shared', id: 'all' } as const;
      await memory.write.execute(me, note('shared', { scope: shared }));
      await memory.write.execute(me, note('mine'));
      await expect(memory.purge.execute(me, { scope: shared })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(memory.purge.execute({ ...me, user: 'you' }, { user: 'me' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(memory.purge.execute(me, { user: 'me', scope: shared })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      await expect(memory.purge.execute({ ...me, privileged: true }, { scope: shared })).resolves.toMatchObject({ counts: { memories: 1 } });
      await expect(memory.read.stats(me)).resolves.toMatchObject({ memories: 1 });
    });

    it('of a session takes its messages, and of a person their state as well', async () => {
      const me = newCaller();
      const [t, at] = [me.tenant, new Date(memory.clock.now())];
      await database.query(
        'test_mark',
        `INSERT INTO session_mark (tenant_id, session_id, owner, session_key, updated_at) VALUES ($1, 'ses1', 'me', 'main', $2)`,
        [t, at],
      );
      await database.query(
        'test_msg',
        `INSERT INTO session_msg (tenant_id, session_id, seq, owner, message_id, role, content, untrusted, tokens, at) VALUES ($1, 'ses1', 1, 'me', 'm1', 'user', 'hello', false, 1, $2)`,
        [t, at],
      );
      await database.query(
        'test_state',
        `INSERT INTO state_kv (tenant_id, owner, run_id, name, version, deleted, bytes, hash, value, updated_at) VALUES ($1, 'me', 'r', 'n', 1, false, 1, 'h', 'x', $2)`,
        [t, at],
      );
      await expect(memory.purge.execute(me, { scope: { kind: 'session', id: 'other' } })).resolves.toMatchObject({ counts: { sessionMessages: 0 } });
      await expect(memory.purge.execute(me, { scope: { kind: 'session', id: 'main' } })).resolves.toMatchObject({
        counts: { sessionMessages: 1, sessions: 1 },
      });
      await expect(memory.purge.execute(me, {})).resolves.toMatchObject({ counts: { stateValues: 1 } });
      for (const table of ['session_msg', 'session_mark', 'state_kv']) expect(await rows(t, table)).toEqual([]);
    });
  });
});
