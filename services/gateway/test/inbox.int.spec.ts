import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import { describeInboxStream } from './support/inbox-stream.js';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

describe('the inbox on the sockets', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let push: PushStandIn;
  let number = 0;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    push = new PushStandIn(await mesh.standIn('push'));
    gateway = await mesh.gateway({ GATEWAY_TICK_MS: '200', GATEWAY_MAX_BUFFERED_BYTES: '65536' });
  });
  afterEach(() => {
    push.away = false;
    for (const client of clients.splice(0)) {
      expect(client.violations).toEqual([]);
      client.close();
    }
  });
  afterAll(() => mesh?.stop());

  const newUser = () => `user${++number}@example.org`;
  async function connect(user: string, connect: Record<string, unknown> = {}, tenant = 'default'): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, await mesh.jwt({ sub: user, tenant, scopes: ['operator.write'] }), {
      scopes: ['operator.write'],
      ...connect,
    });
    clients.push(client);
    return client;
  }
  /** The connection has been told the head, so that it knows where new items begin. */
  const settled = (client: RawClient, head: number) => client.event('tick', (payload) => payload.head === head);
  const offsets = (client: RawClient) => client.events('inbox.item').map(({ payload }) => payload.offset);

  it('delivers a new item at once to every connection of the user, and to nobody else', async () => {
    const user = newUser();
    const [one, two, stranger, foreign, blind] = await Promise.all([
      connect(user),
      connect(user),
      connect(newUser()),
      connect(user, {}, 'other'),
      connect(user, { scopes: [] }),
    ]);
    await Promise.all([one, two, stranger, foreign].map((client) => settled(client, 0)));
    push.deliver('default', user);
    for (const client of [one, two]) {
      expect((await client.event('inbox.item')).payload).toMatchObject({
        offset: 1,
        id: 'dlv_1',
        priority: 'medium',
        title: 'Item 1',
        items: [],
        cursor: 'epoch-1:1',
      });
    }
    await settled(one, 1);
    for (const client of [stranger, foreign, blind]) expect(client.events('inbox.item')).toEqual([]);
  });

  it('fetches what a lost hint left out before it delivers what came behind it', async () => {
    const user = newUser();
    const client = await connect(user);
    await settled(client, 0);
    push.deliver('default', user);
    push.deliver('default', user, { hint: false });
    push.deliver('default', user, { hint: false });
    push.deliver('default', user);
    await client.event('inbox.item', ({ offset }) => offset === 4);
    expect(offsets(client)).toEqual([1, 2, 3, 4]);
  });

  it('notices a lost last hint within one tick', async () => {
    const user = newUser();
    const client = await connect(user);
    await settled(client, 0);
    push.deliver('default', user, { hint: false });
    await client.event('inbox.item', ({ offset }) => offset === 1);
    expect(client.events('inbox.item')).toHaveLength(1);
  });

  it('begins with what is new when push was away at the hello', async () => {
    const user = newUser();
    push.away = true;
    const client = await connect(user);
    await client.event('tick');
    push.deliver('default', user);
    push.away = false;
    await client.event('inbox.item', ({ offset }) => offset === 1);
  });

  it('brings a client that was away to the head, item by item, before it answers', async () => {
    const user = newUser();
    for (let index = 0; index < 450; index += 1) push.deliver('default', user, { hint: false });
    const client = await connect(user);
    const { payload } = await client.request('inbox.resume', { cursor: 'epoch-1:30' });
    expect(payload).toMatchObject({ recovered: true, count: 420, head: 450, cursor: 'epoch-1:450' });
    expect(offsets(client)).toEqual(Array.from({ length: 420 }, (_, index) => index + 31));
    push.deliver('default', user);
    await client.event('inbox.item', ({ offset }) => offset === 451);
    expect(offsets(client).at(-1)).toBe(451);
  });

  it.each([
    ['no cursor', undefined],
    ['a cursor of another epoch', 'epoch-0:2'],
    ['a cursor that is none', 'garbage'],
    ['a cursor ahead of the inbox', 'epoch-1:99'],
  ])('answers %s with a snapshot and never calls it recovered', async (_title, cursor) => {
    const user = newUser();
    for (let index = 0; index < 3; index += 1) push.deliver('default', user, { hint: false });
    const client = await connect(user);
    const { payload } = await client.request('inbox.resume', cursor === undefined ? {} : { cursor });
    expect(payload).toMatchObject({ recovered: false, count: 0, head: 3, cursor: 'epoch-1:3', unread: 3 });
    expect(payload.snapshot.items.map(({ offset }: { offset: number }) => offset)).toEqual([3, 2, 1]);
    push.deliver('default', user);
    await client.event('inbox.item', ({ offset }) => offset === 4);
    expect(offsets(client)).toEqual([4]);
  });

  it('passes acks and marks on', async () => {
    const user = newUser();
    const client = await connect(user);
    push.deliver('default', user);
    expect((await client.request('inbox.ack', { offset: 7 })).payload).toMatchObject({ ok: true });
    expect((await client.request('inbox.mark', { ids: ['dlv_1'], state: 'done' })).payload).toMatchObject({ ok: true, changed: 1 });
    expect(push.marks.slice(-2)).toEqual([
      { ids: [], upTo: 7, state: 'seen' },
      { ids: ['dlv_1'], state: 'done' },
    ]);
  });

  it('tells when the inbox was rebuilt: offsets begin anew under a new epoch', async () => {
    const user = newUser();
    const client = await connect(user);
    push.deliver('default', user);
    await client.event('inbox.item', ({ offset }) => offset === 1);
    push.rebuild('epoch-2');
    push.deliver('default', user);
    await client.event('inbox.item', ({ cursor }) => cursor === 'epoch-2:1');
    push.rebuild('epoch-1');
  });

  it('property: every connection sees offsets without gap or repeat, whatever hints are lost and whenever it resumes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constant('hint'), fc.constant('lost'), fc.constant('resume')), { minLength: 1, maxLength: 25 }),
        fc.nat({ max: 5 }),
        async (steps, before) => {
          const user = newUser();
          for (let index = 0; index < before; index += 1) push.deliver('default', user, { hint: false });
          const client = await connect(user);
          await settled(client, before);
          let head = before;
          let expectedFrom = before;
          for (const step of steps) {
            if (step === 'resume') {
              client.frames.length = 0;
              expectedFrom = 0;
              client.send({ type: 'req', id: `resume-${head}-${Math.random()}`, method: 'inbox.resume', params: { cursor: 'epoch-1:0' } });
            } else {
              push.deliver('default', user, { hint: step === 'hint' });
              head += 1;
            }
          }
          await waitFor(() => head === expectedFrom || offsets(client).at(-1) === head, { what: `offset ${head}` });
          const seen = offsets(client);
          // A resume starts over; behind the last restart everything is contiguous up to the head.
          const start = seen.lastIndexOf(expectedFrom + 1);
          const tail = start < 0 ? [] : seen.slice(start);
          expect(tail).toEqual(Array.from({ length: head - expectedFrom }, (_, index) => expectedFrom + 1 + index));
          client.close();
        },
      ),
      { numRuns: 15 },
    );
  }, 180_000);

  describeInboxStream(() => ({ mesh, gateway, push }));
});
