import { memoryContracts, memorySessionContracts, SCOPES, sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { seedPglite, throwAwayFolder, waitFor } from '@plexus/testing';
import { startMemory, startTestMesh, type TestMesh } from './support/mesh.js';

const { appendSession, flushSession, compactSession, sessionMessages, putState, appendState, getState, listState, deleteState } = memorySessionContracts;

describe('sessions and state in the mesh', () => {
  const folder = throwAwayFolder('sessions-service');
  let mesh: TestMesh;
  let memory: RunningService;
  let me: ReturnType<TestMesh['user']>;
  let users = 0;
  let name: string;
  const sessionKey = 'agent:main:main';

  beforeAll(async () => {
    mesh = await startTestMesh();
    await seedPglite(`${folder.path}/data`);
    memory = await startMemory(mesh, `pglite:${folder.path}/data`);
  });
  afterAll(async () => {
    await memory?.stop('end of the test');
    await mesh?.stop();
    folder.remove();
  });
  beforeEach(() => {
    users += 1;
    name = `user-${users}`;
    me = mesh.user(name);
  });

  const publish = (sessionId: string, seq: number, role: 'user' | 'assistant', text: string) =>
    mesh.gateway.publish(sessionContracts.sessionMessage, {
      tenant: 'acme',
      key: [sessionId],
      msgId: null,
      data: { sessionId, sessionKey, owner: name, agentId: 'main', message: { messageId: ulid(seq), seq, role, text, at: '2026-11-21T10:00:00Z' } },
    });
  const messages = (sessionId: string, who = me) => mesh.gateway.call(sessionMessages, 'acme', { sessionId, after: 0 }, who);

  it('messages come from the transcripts, in order, each once; a deleted session leaves none', async () => {
    const sessionId = ulid();
    await publish(sessionId, 1, 'user', 'Where is the backup?');
    const second = ulid(2);
    const appended = (seq: number, messageId: string, text: string) =>
      mesh.gateway.publish(sessionContracts.sessionMessage, {
        tenant: 'acme',
        key: [sessionId],
        msgId: null,
        data: { sessionId, sessionKey, owner: name, agentId: 'main', message: { messageId, seq, role: 'assistant', text, at: '2026-11-21T10:00:01Z' } },
      });
    for (let n = 0; n < 3; n += 1) await appended(2, second, 'In the cellar.');
    await publish(sessionId, 3, 'user', 'Thanks.');
    await waitFor(async () => (await messages(sessionId).catch(() => undefined))?.messages.length === 3, { what: 'three messages' });
    const kept = await messages(sessionId);
    expect(kept.messages.map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'Where is the backup?'],
      [2, 'In the cellar.'],
      [3, 'Thanks.'],
    ]);
    await expect(messages(sessionId, mesh.user('stranger'))).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    const data = { sessionId, sessionKey, owner: name, agentId: 'main', change: 'deleted' as const };
    await mesh.gateway.publish(sessionContracts.sessionChanged, { tenant: 'acme', key: [sessionId], data });
    const gone = () =>
      messages(sessionId).then(
        () => false,
        (error: { code: string }) => error.code === 'SESSION_NOT_FOUND',
      );
    await waitFor(gone, { what: 'the session to be gone' });
  });

  it('what is appended is flushed, compacted and found by its words', async () => {
    const sessionId = ulid();
    const said = [
      { messageId: 'a', role: 'user' as const, text: '备份保存在哪里?' },
      { messageId: 'b', role: 'assistant' as const, text: 'Let me look.', toolCalls: [{ id: 'c1', name: 'search', arguments: '{"q":"backup"}' }] },
      { messageId: 'c', role: 'tool' as const, text: 'shelf 42 in the cellar', toolCallId: 'c1', toolName: 'search' },
      { messageId: 'd', role: 'assistant' as const, text: 'On shelf 42.' },
    ];
    const appended = await mesh.gateway.call(appendSession, 'acme', { sessionId, sessionKey, messages: said }, me);
    expect(appended).toMatchObject({ appended: 4, duplicates: 0, steps: [], marks: { lastSeq: 4, flushedUpto: 0, compactedUpto: 0 } });
    await expect(mesh.gateway.call(flushSession, 'acme', { sessionId, upto: 2 }, me)).resolves.toMatchObject({ flushed: { from: 1, to: 1 }, episodes: 1 });
    const compacted = await mesh.gateway.call(compactSession, 'acme', { sessionId, upto: 3, summary: 'The backup is on shelf 42.' }, me);
    expect(compacted).toMatchObject({
      flushed: { from: 2, to: 3 },
      compacted: { from: 1, to: 3 },
      marks: { compactedUpto: 3, summary: 'The backup is on shelf 42.' },
    });
    await expect(mesh.gateway.call(sessionMessages, 'acme', { sessionId }, me)).resolves.toMatchObject({ messages: [{ messageId: 'd' }] });
    const scopes = [{ kind: 'session' as const, id: sessionKey }];
    const search = (query: string) => mesh.gateway.call(memoryContracts.searchMemory, 'acme', { query, scopes }, me);
    await expect(search('备份')).resolves.toMatchObject({ hits: [{ kind: 'episode', metadata: { session: sessionId, from: 1, to: 1 } }] });
    await expect(search('shelf cellar')).resolves.toMatchObject({ hits: [{ kind: 'episode', origin: 'untrusted' }, { kind: 'summary' }] });
    const reader = mesh.user(name, { scopes: [SCOPES.read] });
    await expect(mesh.gateway.call(flushSession, 'acme', { sessionId }, reader)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.gateway.call(flushSession, 'acme', { sessionId, owner: name }, mesh.user('stranger'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(mesh.gateway.call(flushSession, 'acme', { sessionId, owner: name }, mesh.service)).resolves.toMatchObject({ marks: { flushedUpto: 4 } });
  });

  it('state is written, compared, listed, read in pieces and deleted', async () => {
    const put = (value: string, expectVersion?: number, who = me) =>
      mesh.gateway.call(putState, 'acme', { run: 'r', name: 'plan', value, ...(expectVersion === undefined ? {} : { expectVersion }) }, who);
    await expect(put('one', 0)).resolves.toMatchObject({ entry: { name: 'plan', version: 1, bytes: 3 } });
    await expect(put('two', 0)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(mesh.gateway.call(getState, 'acme', { run: 'r', name: 'plan' }, mesh.user('stranger'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const long = '数🎉'.repeat(90_000);
    await put(long);
    await mesh.gateway.call(appendState, 'acme', { run: 'r', name: 'plan', text: '!' }, me);
    let value = '';
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const piece: { value: string; nextOffset?: number | undefined } = await mesh.gateway.call(getState, 'acme', { run: 'r', name: 'plan', offset }, me);
      value += piece.value;
      offset = piece.nextOffset;
    }
    expect(value === `${long}!`).toBe(true);
    await mesh.gateway.call(putState, 'acme', { run: 'r', name: 'other', value: '' }, me);
    await expect(mesh.gateway.call(listState, 'acme', { run: 'r', limit: 1 }, me)).resolves.toMatchObject({ entries: [{ name: 'other' }], more: true });
    await expect(mesh.gateway.call(listState, 'acme', { run: 'r', after: 'other' }, me)).resolves.toMatchObject({
      entries: [{ name: 'plan', version: 3 }],
      more: false,
    });
    await expect(mesh.gateway.call(deleteState, 'acme', { run: 'r', name: 'plan', expectVersion: 2 }, me)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(mesh.gateway.call(deleteState, 'acme', { run: 'r', name: 'plan' }, me)).resolves.toEqual({ deleted: true });
    await expect(mesh.gateway.call(getState, 'acme', { run: 'r', name: 'plan' }, me)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(put('x', undefined, mesh.user(name, { scopes: [SCOPES.read] }))).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
  });
});
