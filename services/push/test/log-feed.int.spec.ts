import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { LogEntries } from '../src/adapters/nats/log-entries.js';
import { LOG_STREAM, NatsLogFeed } from '../src/adapters/nats/nats-log-feed.js';
import { NatsLogReader } from '../src/adapters/nats/nats-log-reader.js';
import type { LogInput } from '../src/domain/engine/types.js';
import { partitionOf } from '../src/domain/partition.js';

/** Users of two partitions, and of one that gets a flood. */
const FLOODED = 'flooded';
const QUIET = Array.from({ length: 40 }, (_, n) => `u${n}`).filter((user) => partitionOf('acme', user) !== partitionOf('acme', FLOODED));

describe('reading the log from a real stream', () => {
  let nats: TestNats;
  let bus: Bus;
  let entries: LogEntries;
  let feeds: NatsLogFeed[];
  let written: number;

  beforeEach(async () => {
    nats = await startTestNats();
    bus = await connectBus({ service: 'push', servers: nats.url, allowAnonymous: true });
    await applyStreams(bus, { maxBytesCap: 64 * 1024 * 1024 });
    entries = new LogEntries((contract, event) => bus.encodeEvent(contract, event));
    feeds = [];
    written = 0;
  });
  afterEach(async () => {
    await Promise.all(feeds.map((feed) => feed.stop()));
    await bus.close();
    await nats.stop();
  });

  const write = async (user: string, count = 1) => {
    const ids = Array.from({ length: count }, (_, n) => `${written + n + 1}`);
    written += count;
    const messages = ids.flatMap((id) => entries.encoded({ tenant: 'acme', user, kind: 'ack', id, data: { deliveryId: id, by: user } }));
    await Promise.all(messages.map(({ subject, body, headers, msgId }) => bus.publishRaw(subject, body, { headers, msgId })));
  };
  const open = (maxEntries?: number) => {
    const feed = new NatsLogFeed({ bus, onArrival: () => {}, onInvalid: () => {}, ...(maxEntries === undefined ? {} : { maxEntries }) });
    feeds.push(feed);
    return feed;
  };
  const parts = (users: readonly string[]) => [...new Set(users.map((user) => partitionOf('acme', user)))];
  const all = (cursor = 0) => Array.from({ length: 64 }, (_, part) => ({ part, fence: 1, cursor }));
  const take = (feed: NatsLogFeed, part: number, most = 100): LogInput[] => {
    const { inputs, next } = feed.peek(part, most);
    feed.confirm(part, next);
    return [...inputs];
  };
  const takeAll = async (feed: NatsLogFeed, users: readonly string[], count: number) => {
    const taken: LogInput[] = [];
    await waitFor(
      () => {
        for (const part of parts(users)) taken.push(...take(feed, part));
        return taken.length >= count;
      },
      { what: `${count} inputs` },
    );
    expect(taken).toHaveLength(count);
    return taken;
  };

  it('hands over what is behind the cursors, in order, and again until it is confirmed', async () => {
    for (const user of ['ada', 'bob', 'ada']) await write(user);
    const feed = open();
    feed.open(all());
    const part = partitionOf('acme', 'ada');
    await waitFor(() => feed.peek(part, 10).inputs.length === 2, { what: 'two inputs' });
    expect(feed.peek(part, 1).inputs).toMatchObject([{ id: 'ack:ada:1', tenant: 'acme', user: 'ada', seq: 1, kind: 'ack' }]);
    expect(feed.peek(part, 10).inputs.map(({ seq }) => seq)).toEqual([1, 3]);
    feed.confirm(part, 1);
    expect(feed.peek(part, 10).inputs.map(({ seq }) => seq)).toEqual([3]);
    const again = open();
    again.open(all(1));
    await waitFor(() => again.waiting(part), { what: 'the second input' });
    expect(again.peek(part, 10).inputs.map(({ seq }) => seq)).toEqual([3]);
  });

  it('a partition that nobody works off holds up no other, and loses nothing of its own', async () => {
    const feed = open(16);
    feed.open(all());
    await write(FLOODED, 200);
    for (const user of QUIET) await write(user);
    await takeAll(feed, QUIET, QUIET.length);
    const flood = await takeAll(feed, [FLOODED], 200);
    expect(flood.map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, n) => `ack:${FLOODED}:${n + 1}`));
    await write(FLOODED, 3);
    await takeAll(feed, [FLOODED], 3);
  });

  it('a partition that is taken over later catches up, and then goes on with the others', async () => {
    const late = partitionOf('acme', FLOODED);
    await write(FLOODED, 30);
    const feed = open();
    feed.open(all(30).filter(({ part }) => part !== late));
    await write(QUIET[0] as string, 5);
    await takeAll(feed, [QUIET[0] as string], 5);
    feed.open([{ part: late, fence: 1, cursor: 10 }]);
    await write(FLOODED, 5);
    const inputs = await takeAll(feed, [FLOODED], 25);
    expect(inputs.map(({ seq }) => seq)).toEqual([...Array.from({ length: 20 }, (_, n) => 11 + n), 36, 37, 38, 39, 40]);
    feed.close([late]);
    await write(FLOODED, 1);
    expect(feed.peek(late, 10).inputs).toEqual([]);
  });

  it('goes on after nats-server was killed', async () => {
    const feed = open();
    feed.open(all());
    await write('ada', 3);
    await takeAll(feed, ['ada'], 3);
    await nats.kill('SIGKILL');
    await nats.restart();
    await waitFor(() => write('ada', 1).then(() => true), { what: 'the stream to take messages again' });
    await waitFor(() => feed.waiting(partitionOf('acme', 'ada')), { what: 'an input after the restart' });
    expect(await feed.hasRestarted()).toBe(false);
  });

  it('notices that the log began anew, and reads the new one from its beginning', async () => {
    const feed = open();
    feed.open(all());
    await write('ada', 5);
    await takeAll(feed, ['ada'], 5);
    expect(await feed.hasRestarted()).toBe(false);
    await bus.connection.request(`$JS.API.STREAM.DELETE.${LOG_STREAM}`, '');
    await applyStreams(bus, { maxBytesCap: 64 * 1024 * 1024 });
    await write('ada', 2);
    expect(await feed.hasRestarted()).toBe(true);
    feed.close(Array.from({ length: 64 }, (_, part) => part));
    feed.open(all());
    const inputs = await takeAll(feed, ['ada'], 2);
    expect(inputs.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(await feed.hasRestarted()).toBe(false);
  });

  it('passes over what is no input, and the cursor with it', async () => {
    const feed = open();
    feed.open(all());
    const part = partitionOf('acme', 'ada');
    await bus.publishRaw(`plexus.log.acme.push.ack.v1.${part}.ada`, Buffer.from('{"broken"'));
    await bus.publishRaw(`plexus.log.acme.push.unknown.v1.${part}.ada`, Buffer.from('{}'));
    await waitFor(() => feed.waiting(part), { what: 'something to pass over' });
    await waitFor(() => feed.peek(part, 10).next === 2, { what: 'both messages' });
    expect(feed.peek(part, 10).inputs).toEqual([]);
    await write('ada');
    feed.confirm(part, 2);
    await takeAll(feed, ['ada'], 1);
  });

  describe('for a replay', () => {
    const read = async (selection: Parameters<NatsLogReader['read']>[0], most = Number.POSITIVE_INFINITY) => {
      const found: LogInput[] = [];
      for await (const input of new NatsLogReader(bus, () => {}).read(selection)) {
        found.push(input);
        if (found.length >= most) break;
      }
      return found;
    };

    it('gives what was stored when it began, of whom and when is asked for, and ends', async () => {
      await expect(read({})).resolves.toEqual([]);
      await write('ada', 3);
      await write('bob', 2);
      for (const message of entries.encoded({ tenant: 'acme', user: '_', kind: 'ack', id: 'x', data: { deliveryId: 'x', by: 'x' } })) {
        await bus.publishRaw(message.subject, message.body, { msgId: message.msgId });
      }
      expect((await read({ tenant: 'acme', users: ['ada'] })).filter(({ user }) => user === 'ada').map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect((await read({ tenant: 'acme', users: ['ada'] })).some(({ user }) => user === '_')).toBe(true);
      expect((await read({})).filter(({ user }) => user !== '_')).toHaveLength(5);
      const first = (await read({}))[0] as LogInput;
      await expect(read({ to: first.at })).resolves.toEqual([]);
      await expect(read({ tenant: 'other' })).resolves.toEqual([]);
      await expect(read({ parts: [partitionOf('acme', 'bob')], tenant: 'acme', users: ['bob'] }, 1)).resolves.toMatchObject([{ user: 'bob' }]);
    });

    it('holds a few hundred inputs ahead of a slow reader, not all of them', async () => {
      await write('ada', 1_500);
      let count = 0;
      for await (const { user } of new NatsLogReader(bus, () => {}).read({ tenant: 'acme' })) {
        expect(user).toBe('ada');
        count += 1;
      }
      expect(count).toBe(1_500);
    });
  });
});
