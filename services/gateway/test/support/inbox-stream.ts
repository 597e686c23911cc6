import { waitFor } from '@plexus/testing';
import { EventReader } from './event-reader.js';
import type { PushStandIn } from './push-stand-in.js';
import { RawClient } from './raw-client.js';
import type { TestGateway, TestMesh } from './test-mesh.js';

export interface InboxWorld {
  readonly mesh: TestMesh;
  readonly gateway: TestGateway;
  readonly push: PushStandIn;
}

/** An inbox as server-sent events, beside the same inbox on sockets. */
export function describeInboxStream(world: () => InboxWorld): void {
  describe('as server-sent events', () => {
    let mesh: TestMesh;
    let gateway: TestGateway;
    let push: PushStandIn;
    let number = 0;
    const readers: EventReader[] = [];

    beforeAll(() => {
      ({ mesh, gateway, push } = world());
    });
    afterEach(() => {
      push.away = false;
      push.minOffset = 0;
      for (const reader of readers.splice(0)) reader.close();
    });

    const newUser = () => `reader${++number}`;
    const token = (user: string, scopes = ['operator.read']) => mesh.jwt({ sub: user, tenant: 'default', scopes });
    async function read(user: string, lastEventId?: string, scopes?: string[]): Promise<EventReader> {
      const headers = { authorization: `Bearer ${await token(user, scopes)}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
      const reader = new EventReader(`${gateway.http}/v1/inbox/stream`, headers);
      readers.push(reader);
      await reader.ready();
      return reader;
    }
    const has = (reader: EventReader, event: string, count = 1) =>
      waitFor(() => reader.types().filter((type) => type === event).length >= count, { what: `${count} ${event}` });
    const items = (reader: EventReader) => reader.events.filter(({ event }) => event === 'inbox.item');

    it('begins with how things stand, then tells what comes, each with the cursor behind it', async () => {
      const user = newUser();
      push.deliver('default', user, { hint: false });
      const reader = await read(user);
      await has(reader, 'inbox.state');
      expect(reader.events[0]).toMatchObject({
        event: 'inbox.state',
        lastEventId: 'epoch-1:1',
        data: { recovered: false, head: 1, unread: 1, items: [{ offset: 1 }] },
      });
      push.deliver('default', user);
      await has(reader, 'inbox.item');
      expect(items(reader)).toMatchObject([{ lastEventId: 'epoch-1:2', data: { offset: 2, title: 'Item 2', cursor: 'epoch-1:2' } }]);
    });

    it('goes on behind the last event id without a gap or a repeat, however many items there are', async () => {
      const user = newUser();
      for (let index = 0; index < 450; index += 1) push.deliver('default', user, { hint: false });
      const reader = await read(user, 'epoch-1:30');
      await has(reader, 'inbox.state');
      expect(items(reader).map(({ data }) => data.offset)).toEqual(Array.from({ length: 420 }, (_, index) => index + 31));
      expect(reader.events.at(-1)).toMatchObject({ event: 'inbox.state', data: { recovered: true, head: 450 } });
      push.deliver('default', user);
      await has(reader, 'inbox.item', 421);
      expect(items(reader).at(-1)?.data.offset).toBe(451);
    });

    it('notices a hint that was lost', async () => {
      const user = newUser();
      const reader = await read(user);
      await has(reader, 'inbox.state');
      push.deliver('default', user, { hint: false });
      await has(reader, 'inbox.item');
    });

    it.each([
      ['of another epoch', 'epoch-0:2'],
      ['that is none', 'garbage'],
      ['ahead of the inbox', 'epoch-1:99'],
      ['behind what is still kept', 'epoch-1:1'],
    ])('a cursor %s gets a snapshot and is never called recovered', async (_what, cursor) => {
      const user = newUser();
      for (let index = 0; index < 4; index += 1) push.deliver('default', user, { hint: false });
      push.minOffset = 2;
      const reader = await read(user, cursor);
      await has(reader, 'inbox.state');
      expect(reader.events).toMatchObject([{ event: 'inbox.state', data: { recovered: false, head: 4, items: [{ offset: 4 }, { offset: 3 }] } }]);
    });

    it('what one device marks is seen on the others, on streams and sockets, and by nobody else', async () => {
      const user = newUser();
      push.deliver('default', user, { hint: false });
      const [reader, stranger] = await Promise.all([read(user), read(newUser())]);
      const socket = await RawClient.connect(gateway.ws, await token(user), { scopes: ['operator.read'] });
      await Promise.all([has(reader, 'inbox.state'), has(stranger, 'inbox.state'), socket.event('tick', ({ head }) => head === 1)]);
      push.change('default', user, 0, [{ offset: 1, id: 'dlv_1', state: 'read' }]);
      const change = { epoch: 'epoch-1', unread: 0, more: false, changes: [{ offset: 1, id: 'dlv_1', state: 'read' }] };
      await has(reader, 'inbox.changed');
      expect(reader.events.at(-1)).toEqual({ event: 'inbox.changed', data: change });
      expect((await socket.event('inbox.changed')).payload).toEqual(change);
      expect(stranger.types()).not.toContain('inbox.changed');
      socket.close();
    });

    it('says properly what stands in the way', async () => {
      const user = newUser();
      expect((await read(user, undefined, [])).status).toBe(403);
      expect((await read(user, 'x'.repeat(200))).status).toBe(400);
      push.away = true;
      expect((await read(user)).status).toBe(503);
    });

    it('a socket whose inbox lost items meanwhile goes on with what is left', async () => {
      const user = newUser();
      const socket = await RawClient.connect(gateway.ws, await token(user), { scopes: ['operator.read'] });
      await socket.event('tick', ({ head }) => head === 0);
      push.minOffset = 3;
      for (let index = 0; index < 5; index += 1) push.deliver('default', user, { hint: false });
      await socket.event('inbox.item', ({ offset }) => offset === 5);
      expect(socket.events('inbox.item').map(({ payload }) => payload.offset)).toEqual([4, 5]);
      expect((await socket.request('inbox.resume', { cursor: 'epoch-1:2' })).payload).toMatchObject({ recovered: false });
      expect((await socket.request('inbox.ack', { deliveryId: 'dlv_5' })).payload).toEqual({ ok: true, acknowledged: 1, unread: 0 });
      expect(push.acks).toEqual([{ deliveryId: 'dlv_5' }]);
      socket.close();
    });
  });
}
