import { createHash } from 'node:crypto';
import { routingContracts as rpc } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;
const bob = { user: 'bob' };

beforeAll(async () => {
  mesh = await startRoutingMesh(1, { ROUTING_ATTACHMENT_MIB_PER_USER: 10, ROUTING_PRUNE_INTERVAL_MS: 1_000 });
}, 60_000);
afterAll(() => mesh.stop());

type Caller = Parameters<RoutingMesh['call']>[2];

function parts(content: Buffer, name = 'notes.txt') {
  const about = { attachmentId: ulid(), name, mimeType: 'text/plain', bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  const size = rpc.ATTACHMENT_PART_BYTES;
  const count = Math.ceil(content.length / size);
  return Array.from({ length: count }, (_, part) => ({ ...about, part, data: content.subarray(part * size, (part + 1) * size).toString('base64') }));
}

async function store(content: Buffer, as?: Caller, name?: string): Promise<string> {
  const all = parts(content, name);
  for (const part of all) await mesh.call(rpc.storeAttachment, part, as);
  return all[0]?.attachmentId ?? '';
}

const rows = async (): Promise<number> =>
  (await mesh.database.query<{ n: number }>('spec_parts', 'SELECT count(*)::int AS n FROM attachment_parts', []))[0]?.n ?? -1;

test('files travel with their message: into the transcript, into the command for the VM, and out again part by part', async () => {
  const content = Buffer.alloc(rpc.ATTACHMENT_PART_BYTES + 10, 'ab');
  const attachmentId = await store(content);
  const accepted = await mesh.call(rpc.acceptMessage, { sessionKey: 'files', message: 'look', idempotencyKey: 'f1', attachments: [attachmentId] });
  const info = { attachmentId, name: 'notes.txt', mimeType: 'text/plain', bytes: content.length };
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'files' })).messages[0]).toMatchObject({ text: 'look', attachments: [info] });
  const started = async () => (await mesh.commands()).find(({ data }) => data.runId === 'f1');
  await waitFor(async () => (await started()) !== undefined, { timeoutMs: 60_000, what: 'the command' });
  expect((await started())?.data).toMatchObject({ message: 'look', attachments: [info] });

  const first = await mesh.call(rpc.readAttachment, { sessionKey: 'files', attachmentId });
  const second = await mesh.call(rpc.readAttachment, { sessionKey: 'files', attachmentId, part: first.next ?? -1 });
  expect(second.next).toBeUndefined();
  expect(Buffer.concat([first, second].map(({ data }) => Buffer.from(data, 'base64'))).equals(content)).toBe(true);

  // The same message again, with its file stored once more under another id.
  const again = await mesh.call(rpc.acceptMessage, { sessionKey: 'files', message: 'look', idempotencyKey: 'f1', attachments: [await store(content)] });
  expect(again).toMatchObject({ runId: accepted.runId, status: 'in_flight' });
  const other = mesh.call(rpc.acceptMessage, { sessionKey: 'files', message: 'look', idempotencyKey: 'f1', attachments: [await store(Buffer.from('other'))] });
  await expect(other).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a file is its uploader’s until a message has it, then of whoever may read the session, and of nobody else', async () => {
  const attachmentId = await store(Buffer.from('secret'));
  const send = (as?: Caller) => mesh.call(rpc.acceptMessage, { sessionKey: 'private', message: 'x', attachments: [attachmentId] }, as);
  await expect(send(bob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(send({ tenant: 'other' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await send();
  await expect(send()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const read = (as?: Caller, owner?: string) => mesh.call(rpc.readAttachment, { sessionKey: 'private', attachmentId, ...(owner && { owner }) }, as);
  await expect(read()).resolves.toMatchObject({ data: Buffer.from('secret').toString('base64') });
  await expect(read(bob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(read(bob, 'ada')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await expect(read({ tenant: 'other' }, 'ada')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(mesh.call(rpc.readAttachment, { sessionKey: 'files', attachmentId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await mesh.call(rpc.shareSession, { sessionKey: 'private', grantee: 'bob' });
  await expect(read(bob, 'ada')).resolves.toMatchObject({ attachment: { bytes: 6 } });
});

test('what is not what was announced, not whole, or too much is refused', async () => {
  const [part] = parts(Buffer.from('hello'));
  if (part === undefined) throw new Error('no part');
  const put = (more: object, as?: Caller) => mesh.call(rpc.storeAttachment, { ...part, attachmentId: ulid(), ...more }, as);
  await expect(put({ data: Buffer.from('hell').toString('base64') })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const wrong = ulid();
  await expect(put({ attachmentId: wrong, sha256: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const naming = mesh.call(rpc.acceptMessage, { sessionKey: 'wrong', message: 'x', attachments: [wrong] });
  await expect(naming).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(put({ attachmentId: wrong })).resolves.toMatchObject({ stored: 5 });
  await expect(put({ bytes: rpc.ATTACHMENT_LIMITS.bytes + 1 })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  await mesh.call(rpc.storeAttachment, part);
  await expect(mesh.call(rpc.storeAttachment, part, bob)).rejects.toMatchObject({ code: 'CONFLICT' });

  const large = Buffer.alloc(6 * 1024 * 1024, 'x');
  const [half] = parts(large);
  if (half === undefined) throw new Error('no part');
  await mesh.call(rpc.storeAttachment, half, { user: 'greedy' });
  const message = { sessionKey: 'greedy', message: 'x', attachments: [half.attachmentId] };
  await expect(mesh.call(rpc.acceptMessage, message, { user: 'greedy' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(store(large, { user: 'greedy' })).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
});

test('a message with a file is no steer: it waits and is answered with its file', async () => {
  await mesh.call(rpc.acceptMessage, { sessionKey: 'busy', message: 'first', idempotencyKey: 's1' });
  const attachmentId = await store(Buffer.from('later'));
  await mesh.call(rpc.acceptMessage, { sessionKey: 'busy', message: 'second', idempotencyKey: 's2', queueMode: 'steer', attachments: [attachmentId] });
  const { sessionId } = await mesh.call(rpc.acceptMessage, { sessionKey: 'busy', message: 'first', idempotencyKey: 's1' });
  await mesh.event({ sessionId, sessionKey: 'agent:main:busy', runId: 's1' }, { type: 'execution_complete', content: 'done' }, { runSeq: 1 });
  const start = async () => (await mesh.commands()).find(({ data }) => data.runId === 's2');
  await waitFor(async () => (await start()) !== undefined, { timeoutMs: 60_000, what: 'the second command' });
  expect((await start())?.data).toMatchObject({ message: 'second', attachments: [{ attachmentId }] });
  expect((await mesh.commands()).filter(({ name }) => name.includes('steer'))).toEqual([]);
});

test('nothing of a file stays when its session is deleted, its person erased, or its message never comes', async () => {
  await mesh.database.query('spec_clear', 'DELETE FROM attachments', []);
  await mesh.call(rpc.acceptMessage, { sessionKey: 'deleted', message: 'x', attachments: [await store(Buffer.from('a'))] });
  await mesh.call(
    rpc.acceptMessage,
    { sessionKey: 'theirs', message: 'x', attachments: [await store(Buffer.from('b'), { user: 'leaver' })] },
    { user: 'leaver' },
  );
  expect(await rows()).toBe(2);
  await mesh.call(rpc.deleteSession, { sessionKey: 'deleted' }, admin);
  expect(await rows()).toBe(1);
  await mesh.call(rpc.eraseUser, { user: 'leaver' }, admin);
  await waitFor(async () => (await rows()) === 0, { timeoutMs: 60_000, what: 'the erasure' });

  await store(Buffer.from('c'));
  await mesh.database.query('spec_age', `UPDATE attachments SET created_at = now() - interval '2 hours'`, []);
  await waitFor(async () => (await rows()) === 0, { timeoutMs: 60_000, what: 'the retention' });
});
