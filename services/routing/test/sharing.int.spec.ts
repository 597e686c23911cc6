import { routingContracts as rpc } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;
const bob = { user: 'bob' };
const reader = { user: 'rita', scopes: ['operator.read'] };

beforeAll(async () => {
  mesh = await startRoutingMesh(1);
});
afterAll(() => mesh.stop());

test('a grant lets another user do what it says, no more, and only until it is taken back', async () => {
  const { sessionId } = await mesh.call(rpc.acceptMessage, { sessionKey: 'plan', message: 'mine' });
  const seen = () => mesh.call(rpc.getHistory, { sessionKey: 'plan', owner: 'ada' }, bob);
  const write = (idempotencyKey: string) => mesh.call(rpc.acceptMessage, { sessionKey: 'plan', owner: 'ada', message: 'and mine', idempotencyKey }, bob);
  await expect(seen()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await mesh.call(rpc.shareSession, { sessionKey: 'plan', grantee: 'bob' });
  expect((await seen()).messages.map(({ text }) => text)).toEqual(['mine']);
  await expect(write('b1')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await mesh.call(rpc.shareSession, { sessionKey: 'plan', grantee: 'bob', access: 'write' });
  await write('b2');
  expect((await seen()).messages.at(-1)).toMatchObject({ text: 'and mine', sender: { id: 'bob' } });
  expect((await mesh.call(rpc.listSessions, { shared: true }, bob)).sessions).toMatchObject([{ sessionKey: 'agent:main:plan', owner: 'ada', access: 'write' }]);
  expect((await mesh.call(rpc.listSessions, {}, bob)).sessions).toEqual([]);
  expect(await mesh.call(rpc.sessionAccess, { sessionKey: 'plan', owner: 'ada' }, bob)).toMatchObject({ access: 'write', owner: 'ada' });
  await expect(mesh.call(rpc.getHistory, { sessionKey: 'plan', owner: 'ada' }, { ...bob, tenant: 'other' })).rejects.toMatchObject({
    code: 'SESSION_NOT_FOUND',
  });
  expect((await mesh.call(rpc.listGrants, { sessionKey: 'plan' })).grants).toMatchObject([{ grantee: 'bob', access: 'write', grantedBy: 'ada' }]);
  expect(await mesh.call(rpc.unshareSession, { sessionKey: 'plan', grantee: 'bob' })).toMatchObject({ removed: true });
  expect(await mesh.call(rpc.unshareSession, { sessionKey: 'plan', grantee: 'bob' })).toMatchObject({ removed: false });
  await expect(seen()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  expect(await mesh.call(rpc.sessionAccess, { sessionKey: 'plan', owner: 'ada' }, bob)).toMatchObject({ access: 'none' });
  const told = async () => (await mesh.events('changed', sessionId)).filter(({ data }) => data.revokedFrom !== undefined);
  await waitFor(async () => (await told()).length > 0, { timeoutMs: 60_000, what: 'the word to those who watch' });
  expect((await told()).map(({ data }) => [data.change, data.revokedFrom])).toEqual([['updated', 'bob']]);
});

test('nobody shares what is not theirs, or with themselves', async () => {
  await expect(mesh.call(rpc.shareSession, { sessionKey: 'nothing', grantee: 'bob' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await expect(mesh.call(rpc.shareSession, { sessionKey: 'plan', grantee: 'ada' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(mesh.call(rpc.shareSession, { sessionKey: 'plan', grantee: 'bob' }, reader)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
});

test('an administrator of the tenant sees sessions of others, one of another tenant does not', async () => {
  await mesh.call(rpc.acceptMessage, { sessionKey: 'watched', message: 'x' });
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'watched', owner: 'ada' }, { user: 'root', ...admin })).messages).toHaveLength(1);
  const elsewhere = mesh.call(rpc.getHistory, { sessionKey: 'watched', owner: 'ada' }, { user: 'root', tenant: 'other', ...admin });
  await expect(elsewhere).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
});

test('an agent reaches other sessions only as far as it is configured', async () => {
  await mesh.call(rpc.acceptMessage, { sessionKey: 'agent:main:secret', message: 'x' });
  const look = (sessionKey: string, actingSessionKey: string) => mesh.call(rpc.getHistory, { sessionKey, actingSessionKey });
  await expect(look('agent:main:secret', 'agent:main:other')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(look('agent:main:secret', 'agent:main:secret')).resolves.toMatchObject({ totalMessages: 1 });
  await mesh.configure({ tools: { sessions: { visibility: 'agent' } } });
  await expect(look('agent:main:secret', 'agent:main:other')).resolves.toMatchObject({ totalMessages: 1 });
});

test('a session is relabelled, previewed, exported page by page, and deleted with everything in it', async () => {
  const injected = (message: string) => mesh.call(rpc.injectMessage, { sessionKey: 'diary', message }, admin);
  await mesh.call(rpc.createSession, { sessionKey: 'diary' });
  for (const text of ['one', 'two', 'three']) await injected(text);
  expect((await mesh.call(rpc.patchSession, { sessionKey: 'diary', label: 'My diary', displayName: 'Diary' })).session).toMatchObject({
    label: 'My diary',
    displayName: 'Diary',
  });
  expect((await mesh.call(rpc.patchSession, { sessionKey: 'diary', label: null, displayName: null })).session).not.toHaveProperty('label');
  const { previews } = await mesh.call(rpc.previewSessions, { sessionKeys: ['diary', 'nothing'], limit: 2, maxChars: 3 });
  expect(previews.map(({ sessionKey, status, messages }) => [sessionKey, status, messages.map(({ text }) => text)])).toEqual([
    ['agent:main:diary', 'ok', ['two', 'th…']],
    ['agent:main:nothing', 'missing', []],
  ]);
  let text = '';
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: { text: string; next?: number | undefined } = await mesh.call(rpc.exportSession, { sessionKey: 'diary', after, limit: 2 });
    text += page.text;
    after = page.next;
  }
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text),
  ).toEqual(['one', 'two', 'three']);
  expect((await mesh.call(rpc.exportSession, { sessionKey: 'diary', format: 'markdown' })).text).toMatch(/^### assistant — .*\n\none\n\n### assistant/);
  await expect(mesh.call(rpc.deleteSession, { sessionKey: 'diary' })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
  expect(await mesh.call(rpc.deleteSession, { sessionKey: 'diary' }, admin)).toMatchObject({ deleted: true });
  expect(await mesh.call(rpc.deleteSession, { sessionKey: 'diary' }, admin)).toMatchObject({ deleted: false });
  await expect(mesh.call(rpc.exportSession, { sessionKey: 'diary' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
});

test('stored keys are migrated once; what would merge two conversations is reported and left alone', async () => {
  const insert = `INSERT INTO sessions (tenant, owner, session_key, session_id, agent_id, kind) VALUES ('other', $1, $2, $3, 'main', 'other')`;
  let n = 0;
  for (const [owner, key] of [
    ['ada', 'Agent:Main:Old'],
    ['ada', 'group:123@g.us'],
    ['ada', 'agent:main:taken'],
    ['ada', 'Agent:MAIN:Taken'],
    ['bob', 'agent:main:Taken'],
  ]) {
    n += 1;
    await mesh.database.query('spec_insert', insert, [owner, key, `01jd2x3y4z5a6b7c8d9e0f1g${n}h`]);
  }
  const run = (dryRun: boolean) => mesh.call(rpc.migrateSessionKeys, { dryRun }, { ...admin, tenant: 'other' });
  expect((await run(true)).changed).toHaveLength(4);
  const done = await run(false);
  expect(done.changed.map(({ owner, to }) => `${owner} ${to}`)).toEqual([
    'ada agent:main:old',
    'ada agent:main:whatsapp:group:123@g.us',
    'bob agent:main:taken',
  ]);
  expect(done.collisions).toEqual([{ owner: 'ada', from: 'Agent:MAIN:Taken', to: 'agent:main:taken' }]);
  expect(await run(false)).toMatchObject({ changed: [], collisions: [{ from: 'Agent:MAIN:Taken' }] });
  await expect(mesh.call(rpc.migrateSessionKeys, {})).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
});

test('updatedAt never goes back, whatever the clocks of its writers say', async () => {
  await mesh.call(rpc.createSession, { sessionKey: 'clock' });
  const ahead = '2099-01-01T00:00:00.000Z';
  await mesh.database.query('spec_ahead', `UPDATE sessions SET updated_at = $1 WHERE session_key = 'agent:main:clock'`, [new Date(ahead)]);
  const { runId } = await mesh.call(rpc.acceptMessage, { sessionKey: 'clock', message: 'x' });
  await mesh.call(rpc.injectMessage, { sessionKey: 'clock', message: 'y' }, admin);
  await mesh.call(rpc.patchSession, { sessionKey: 'clock', label: 'L', displayName: 'D' });
  await mesh.call(rpc.cancelRun, { sessionKey: 'clock', runId });
  await mesh.call(rpc.resetSession, { sessionKey: 'clock' }, admin);
  expect((await mesh.call(rpc.describeSession, { sessionKey: 'clock' })).session?.updatedAt).toBe(ahead);
});
