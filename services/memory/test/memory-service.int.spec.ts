import { listParked } from '@plexus/bus';
import { CONSUMERS, type DataOf, memoryArchiveContracts, memoryContracts, memorySimilarityContracts, routingContracts, SCOPES } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, seedPglite, type TestDatabase, throwAwayFolder, waitFor } from '@plexus/testing';
import { startMemory, startTestMesh, type TestMesh } from './support/mesh.js';

const { writeMemory, searchMemory, getMemory, listMemories, deleteMemory, memoryStats, writeMemoryCommand, memoryWritten } = memoryContracts;
const { exportMemories, importMemories, purgeMemories, checkPurgeReceipt } = memoryArchiveContracts;

describe.each(['pglite', 'postgres'] as const)('memory in the mesh, on %s', (backend) => {
  const folder = throwAwayFolder('memory-service');
  let mesh: TestMesh;
  let database: TestDatabase | undefined;
  let memory: RunningService;
  let users = 0;
  let name: string;
  let me: ReturnType<TestMesh['user']>;

  beforeAll(async () => {
    mesh = await startTestMesh();
    if (backend === 'postgres') database = await createTestDatabase();
    else await seedPglite(`${folder.path}/data`);
    memory = await startMemory(mesh, database?.url ?? `pglite:${folder.path}/data`);
  });
  afterAll(async () => {
    await memory?.stop('end of the test');
    await database?.drop();
    await mesh?.stop();
    folder.remove();
  });
  beforeEach(() => {
    users += 1;
    name = `user-${users}`;
    me = mesh.user(name);
  });

  const search = (query: string, who = me, rest = {}) => mesh.gateway.call(searchMemory, 'acme', { query, ...rest }, who);
  const command = (data: Record<string, unknown>, id: string) =>
    mesh.gateway.publish(writeMemoryCommand, { tenant: 'acme', key: [name], id, msgId: null, data: { user: name, content: 'x', ...data } });

  it('services may ask how alike texts are; without a model nothing is guessed', async () => {
    const question = { text: 'Import finished', others: [{ id: 's1', text: 'data imports' }] };
    const { similarity } = memorySimilarityContracts;
    await expect(mesh.gateway.call(similarity, 'acme', question, mesh.service)).resolves.toEqual({ available: false, scores: [] });
    await expect(mesh.gateway.call(similarity, 'acme', question, me)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('a memory is written, found, read, listed, counted and deleted by its user', async () => {
    const before = await mesh.gateway.call(memoryStats, 'acme', {}, me);
    expect(before).toMatchObject({ backend, vectorExtension: backend === 'pglite', pendingEmbeddings: 0 });
    const written = await mesh.gateway.call(
      writeMemory,
      'acme',
      { content: '用户偏好使用PostgreSQL数据库', kind: 'preference', metadata: { a: 1 }, importance: 0.5 },
      me,
    );
    expect(written).toEqual({ id: written.id, result: 'created', embedding: 'none' });
    const found = await search('数据库');
    expect(found).toMatchObject({ mode: 'text', semantic: false, degraded: backend === 'pglite' ? 'embedder_unavailable' : 'vector_extension_missing' });
    expect(found.hits).toEqual([
      {
        id: written.id,
        scope: { kind: 'user', id: name },
        namespace: '',
        kind: 'preference',
        content: '用户偏好使用PostgreSQL数据库',
        importance: 0.5,
        metadata: { a: 1 },
        createdAt: expect.any(String),
        rev: 1,
        seenCount: 1,
        score: 0.8,
        rankScore: 0.8,
        matched: ['数据', '据库'],
        missing: [],
      },
    ]);
    await expect(mesh.gateway.call(getMemory, 'acme', { id: written.id }, me)).resolves.toMatchObject({ memory: { id: written.id } });
    await expect(mesh.gateway.call(listMemories, 'acme', {}, me)).resolves.toMatchObject({ memories: [{ id: written.id }] });
    await expect(mesh.gateway.call(memoryStats, 'acme', {}, me)).resolves.toMatchObject({ memories: before.memories + 1 });
    await expect(mesh.gateway.call(deleteMemory, 'acme', { id: written.id }, me)).resolves.toEqual({ deleted: true });
    await expect(search('数据库')).resolves.toMatchObject({ hits: [] });
    await expect(mesh.gateway.call(getMemory, 'acme', { id: written.id }, me)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('states every new memory as a fact, once, without its content', async () => {
    const { id } = await mesh.gateway.call(writeMemory, 'acme', { content: 'a secret' }, me);
    await mesh.gateway.call(writeMemory, 'acme', { content: 'a secret' }, me);
    const fact = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_MEMORY', memoryWritten.subject('acme', id)), { what: 'the fact' });
    const text = Buffer.from(fact.raw).toString();
    expect(JSON.parse(text).data).toEqual({ memoryId: id, scope: { kind: 'user', id: name }, kind: 'note' });
    expect(text).not.toContain('secret');
  });

  it('tells errors by their codes', async () => {
    const write = (data: Parameters<typeof mesh.gateway.call<typeof writeMemory>>[2], who = me) => mesh.gateway.call(writeMemory, 'acme', data, who);
    await expect(write({ content: 'x'.repeat(65_537) })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await expect(write({ content: 'x'.repeat(70_000) })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await expect(write({ content: '' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await write({ content: 'one', idempotencyKey: 'k' });
    await expect(write({ content: 'one', idempotencyKey: 'k' })).resolves.toMatchObject({ result: 'replayed' });
    await expect(write({ content: 'two', idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(write({ content: 'x', scope: { kind: 'user', id: 'somebody' } })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(write({ content: 'x' }, mesh.service)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(write({ content: 'x', expiresAt: '9999-12-31T23:59:59-12:00' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(mesh.gateway.call(searchMemory, 'other', { query: 'x' }, me)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    await expect(mesh.gateway.call(listMemories, 'acme', { cursor: '?' }, me)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('reading and writing need their scopes', async () => {
    const reader = mesh.user(name, { scopes: [SCOPES.read] });
    await expect(mesh.gateway.call(writeMemory, 'acme', { content: 'x' }, reader)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.gateway.call(deleteMemory, 'acme', { id: 'mem_1' }, reader)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(search('x', reader)).resolves.toMatchObject({ hits: [] });
    await expect(search('x', mesh.user(name, { scopes: [] }))).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(search('x', mesh.user(name, { role: 'vm' }))).resolves.toMatchObject({ hits: [] });
  });

  it('text of any kind, in content or query, never makes an internal error', async () => {
    const nasty = ['\0', '\ud800', 'a\0b\udfff', '🎉'.repeat(2_000), `'; DROP TABLE memory; --`, ':*&|!()', '\u202e\u200d', ' ', '\\'];
    for (const text of nasty) {
      await expect(mesh.gateway.call(writeMemory, 'acme', { content: text, metadata: { [text.slice(0, 50)]: text.slice(0, 50) } }, me)).resolves.toMatchObject({
        embedding: 'none',
      });
      const found = await search(text);
      expect(found.hits.length === 0 || (found.hits[0]?.score ?? 0) >= 0.15).toBe(true);
    }
  });

  it('an administrator and a service reach the scopes of others, a user does not', async () => {
    const { id } = await mesh.gateway.call(writeMemory, 'acme', { content: 'mine' }, me);
    const scopes = [{ kind: 'user', id: name }];
    const admin = mesh.user('boss', { role: 'operator', scopes: [SCOPES.admin] });
    for (const who of [admin, mesh.service]) await expect(search('mine', who, { scopes })).resolves.toMatchObject({ hits: [{ id }] });
    await expect(search('mine', mesh.user('stranger'), { scopes })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(mesh.gateway.call(getMemory, 'acme', { id }, mesh.user('stranger'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('everything of a user is exported, purged with a receipt and imported again by its calls; others are refused', async () => {
    const bob = mesh.user(`${name}-other`);
    const { id } = await mesh.gateway.call(writeMemory, 'acme', { content: 'hello', idempotencyKey: 'k' }, me);
    const { lines, asOf } = await mesh.gateway.call(exportMemories, 'acme', {}, me);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([expect.objectContaining({ id, content: 'hello' })]);
    for (const data of [{ user: name }, { scope: { kind: 'user' as const, id: name } }]) {
      await expect(mesh.gateway.call(exportMemories, 'acme', data, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(mesh.gateway.call(purgeMemories, 'acme', { ...data, confirm: true }, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    await expect(mesh.gateway.call(importMemories, 'acme', { importId: 'i', from: 0, lines }, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { receipt } = await mesh.gateway.call(purgeMemories, 'acme', { confirm: true }, me);
    expect(receipt.counts).toMatchObject({ memories: 1, idempotencyResults: 1 });
    await expect(mesh.gateway.call(checkPurgeReceipt, 'acme', { receipt, user: name }, bob)).resolves.toEqual({ genuine: true, matches: true });
    expect((await mesh.gateway.call(exportMemories, 'acme', {}, me)).lines).toEqual([]);
    const spoilt = { format: 'plexus-memory', version: 1, memories: 2, sha256: '0'.repeat(64), asOf } as const;
    await expect(mesh.gateway.call(importMemories, 'acme', { importId: 'i', from: 0, lines, manifest: spoilt }, me)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    expect((await mesh.gateway.call(exportMemories, 'acme', {}, me)).lines).toEqual([]);
  });

  it('fifty large hits fit one answer, cut and marked', async () => {
    for (let n = 0; n < 50; n += 1) await mesh.gateway.call(writeMemory, 'acme', { content: `large ${n} ${'x'.repeat(60_000)}` }, me);
    const { hits } = await search('large', me, { k: 50 });
    expect(hits).toHaveLength(50);
    expect(hits[0]).toMatchObject({ contentTruncated: true });
    const whole = await mesh.gateway.call(getMemory, 'acme', { id: hits[0]?.id as string }, me);
    expect(whole.memory.content.length).toBeGreaterThan(60_000);
  });

  it('forgets a person: their scope, their sessions and what they wrote for others, and states it in a receipt', async () => {
    const you = mesh.user(`${name}-other`);
    const place = [undefined, { kind: 'session', id: 'agent:main:main' }, { kind: 'shared', id: 'team' }] as const;
    for (const scope of place) {
      await mesh.gateway.call(
        writeMemory,
        'acme',
        { content: `erasable ${name} ${scope?.kind}`, idempotencyKey: `${name}-${scope?.kind}`, ...(scope && { scope }) },
        me,
      );
    }
    await mesh.gateway.call(writeMemory, 'acme', { content: `kept of ${name}`, scope: { kind: 'shared', id: 'team' } }, you);
    const erasureId = ulid();
    const request = { erasureId, user: name, requestedBy: 'admin', at: new Date().toISOString() };
    await mesh.gateway.publish(routingContracts.eraseRequested, { tenant: 'acme', key: [erasureId], data: request, id: erasureId });
    const receipt = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_USER', routingContracts.userErased.subject('acme', erasureId)), {
      what: 'the receipt',
    });
    const { data } = receipt.json<{ data: DataOf<typeof routingContracts.userErased> }>();
    expect(data).toMatchObject({ service: 'memory', user: name, counts: { memories: 3, keys: 3 } });
    for (const scope of place)
      await expect(search(`erasable ${name} ${scope?.kind}`, me, { minScore: 0.75, ...(scope && { scopes: [scope] }) })).resolves.toMatchObject({ hits: [] });
    await expect(search(`kept of ${name}`, you, { scopes: [{ kind: 'shared', id: 'team' }] })).resolves.toMatchObject({
      hits: [{ content: `kept of ${name}` }],
    });
  });

  describe('commands', () => {
    /** Every command that was published has ended, whatever became of it; several are worked on side by side. */
    const allEnded = () =>
      waitFor(
        async () => {
          const info = await mesh.gateway.jetstream.consumerInfo(CONSUMERS.memoryWrite.stream, CONSUMERS.memoryWrite.name);
          return info?.num_pending === 0 && info.num_ack_pending === 0;
        },
        { what: 'the commands to be carried out' },
      );

    it('are stored once, however often they are delivered', async () => {
      for (let n = 0; n < 3; n += 1) await command({ content: 'Prefers short answers.', kind: 'preference' }, `event-${name}`);
      await command({ content: 'Prefers tea.' }, `event-${name}-2`);
      await allEnded();
      await expect(search('tea')).resolves.toMatchObject({ hits: { length: 1 } });
      await expect(search('short answers')).resolves.toMatchObject({ hits: [{ kind: 'preference', seenCount: 1, scope: { kind: 'user', id: name } }] });
      await expect(mesh.gateway.call(listMemories, 'acme', {}, me)).resolves.toMatchObject({ memories: { length: 2 } });
    });

    it('use the key they carry, the same as a call does', async () => {
      await mesh.gateway.call(writeMemory, 'acme', { content: 'keyed', idempotencyKey: `key-${name}` }, me);
      await command({ content: 'keyed', idempotencyKey: `key-${name}` }, 'whatever');
      await allEnded();
      await expect(search('keyed')).resolves.toMatchObject({ hits: [{ seenCount: 1 }] });
    });

    it('that nobody can carry out are parked with their reason', async () => {
      await command({ scope: { kind: 'user', id: 'somebody-else' } }, `foreign-${name}`);
      await command({ content: '数'.repeat(30_000) }, `large-${name}`);
      mesh.gateway.connection.publish(writeMemoryCommand.subject('acme', name), '{"specversion":"1.0"}');
      const parked = await waitFor(async () => {
        const found = (await listParked(mesh.gateway, { tenant: 'acme' })).filter(({ originSubject }) => originSubject.endsWith(name));
        return found.length >= 3 ? found : undefined;
      });
      expect(parked.map(({ code }) => code).sort()).toEqual(['FORBIDDEN', 'INVALID_EVENT', 'PAYLOAD_TOO_LARGE']);
    });
  });
});
