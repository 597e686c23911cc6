import { listParked } from '@plexus/bus';
import { CONSUMERS, routingContracts as routing } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;
const { stream, name: consumer } = CONSUMERS.pushIn;

beforeAll(async () => {
  mesh = await startRoutingMesh(1);
});
afterAll(() => mesh.stop());

async function park(tenant: string, key: string, raw: Buffer): Promise<number> {
  const subject = `plexus.in.${tenant}.crm.contact-updated.v1.${key}`;
  const { seq } = await mesh.bus.publishRaw(subject, raw);
  await mesh.bus.park({ subject, raw, headers: new Map(), stream, seq, consumer, attempts: 6, code: 'INVALID_EVENT', reason: 'it makes no sense' });
  const found = await waitFor(async () => (await listParked(mesh.bus)).find(({ originSeq }) => originSeq === seq));
  return found.seq;
}
const list = (data: object = {}) => mesh.call(routing.listDeadLetters, data, admin);

test('an administrator sees the dead letters of the own tenant alone, page by page, with their bodies', async () => {
  const [first, , second, third] = [
    await park('acme', 'a', Buffer.from('{"name":"Ä"}')),
    await park('other', 'x', Buffer.from('{}')),
    await park('acme', 'b', Buffer.from([0xff, 0xfe])),
    await park('acme', 'c', Buffer.from(`${'a'.repeat(256 * 1024 - 1)}ä`)),
  ];
  const page = await list({ limit: 2, consumer });
  expect(page).toMatchObject({
    letters: [{ seq: first, consumer, code: 'INVALID_EVENT', reason: 'it makes no sense', attempts: 6, originStream: stream }, { seq: second }],
    next: second,
  });
  expect(await list({ after: page.next })).toMatchObject({ letters: [{ seq: third }] });
  expect(await list({ consumer: 'nobody' })).toEqual({ letters: [] });

  const show = (seq: number) => mesh.call(routing.getDeadLetter, { seq }, admin);
  expect(await show(first)).toMatchObject({ text: '{"name":"Ä"}', truncated: false });
  expect(await show(second)).toMatchObject({ base64: '//4=', truncated: false });
  expect(await show(third)).toMatchObject({ text: 'a'.repeat(256 * 1024 - 1), truncated: true });
});

test('what is sent again arrives where it came from and is gone here; one that cannot be does not stop the others', async () => {
  const [mine, theirs, dropped] = [
    await park('acme', 'r', Buffer.from('{"again":1}')),
    await park('other', 'r', Buffer.from('{}')),
    await park('acme', 's', Buffer.from('{}')),
  ];
  const { outcomes } = await mesh.call(routing.redriveDeadLetters, { seqs: [theirs, mine, 999_999] }, admin);
  expect(outcomes).toMatchObject([
    { seq: theirs, ok: false, code: 'NOT_FOUND' },
    { seq: mine, ok: true, stream },
    { seq: 999_999, ok: false, code: 'NOT_FOUND' },
  ]);
  const again = await mesh.bus.messageAt(stream, outcomes[1]?.streamSeq as number);
  expect([again?.subject, again?.json()]).toEqual(['plexus.in.acme.crm.contact-updated.v1.r', { again: 1 }]);

  expect(await mesh.call(routing.dropDeadLetters, { seqs: [dropped, theirs] }, admin)).toMatchObject({
    outcomes: [
      { seq: dropped, ok: true },
      { seq: theirs, ok: false, code: 'NOT_FOUND' },
    ],
  });
  const left = (await listParked(mesh.bus)).map(({ seq }) => seq);
  expect([left.includes(mine), left.includes(dropped), left.includes(theirs)]).toEqual([false, false, true]);
});

test('nobody else may look: they may be anybody’s', async () => {
  for (const rpc of [routing.listDeadLetters, routing.getDeadLetter, routing.redriveDeadLetters, routing.dropDeadLetters]) {
    const data = rpc === routing.listDeadLetters ? {} : rpc === routing.getDeadLetter ? { seq: 1 } : { seqs: [1] };
    await expect(mesh.call(rpc, data as never)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.call(rpc, data as never, { role: 'service', scopes: [] })).rejects.toMatchObject({
      code: expect.stringMatching(/MISSING_SCOPE|FORBIDDEN|UNAUTHENTICATED/),
    });
  }
});
