import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { encodeEvent, encodeEventHead } from '@plexus/client-protocol';
import * as ws from 'ws';
import type { SharedFrame } from './frame-run.js';
import { OutboundQueue } from './outbound-queue.js';
import { textFrame } from './text-frame.js';

/** The type declarations leave the parser of `ws` out. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => NodeJS.WritableStream & NodeJS.EventEmitter };

/** What a WebSocket peer reads from the bytes. */
async function decode(bytes: Buffer, count: number): Promise<string[]> {
  const receiver = new Receiver({ isServer: false });
  const messages: string[] = [];
  receiver.on('message', (data: Buffer) => messages.push(String(data)));
  receiver.write(bytes);
  while (messages.length < count) await once(receiver, 'message');
  return messages;
}

function collect(): { socket: PassThrough; writes: Buffer[] } {
  const socket = new PassThrough();
  const writes: Buffer[] = [];
  socket.on('data', (chunk) => writes.push(chunk));
  return { socket, writes };
}

const shared = (head: string, waiting: SharedFrame['waiting'] = { live: true }): SharedFrame => ({ head: Buffer.from(head), waiting });

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('OutboundQueue', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 100_000])('frames a text of %i bytes as RFC 6455 says', async (length) => {
    const text = 'x'.repeat(length);
    expect(await decode(textFrame(text), 1)).toEqual([text]);
  });

  it('sends small and large frames mixed in order', async () => {
    const { socket, writes } = collect();
    const queue = new OutboundQueue(socket);
    const texts = [10, 20_000, 10, 10, 70_000, 400_000, 3].map((length, index) => `${index}`.repeat(length));
    for (const [index, text] of texts.entries()) {
      if (index % 2 === 0) queue.text(text);
      else queue.event(shared(text), index);
    }
    while (queue.bufferedBytes > 0) await turn();
    await turn();
    expect(await decode(Buffer.concat(writes), texts.length)).toEqual(texts.map((text, index) => (index % 2 === 0 ? text : `${text},"seq":${index}}`)));
  });

  it('sends a shared event with a number of its own to each connection', async () => {
    const head = shared(encodeEventHead('chat', { text: 'é' }));
    const { socket, writes } = collect();
    const queue = new OutboundQueue(socket);
    queue.event(head, 1);
    queue.event(head, 1_234_567);
    queue.event(head, undefined);
    await turn();
    await turn();
    expect(await decode(Buffer.concat(writes), 3)).toEqual([
      encodeEvent('chat', { text: 'é' }, 1),
      encodeEvent('chat', { text: 'é' }, 1_234_567),
      encodeEvent('chat', { text: 'é' }),
    ]);
  });

  it('writes one turn to every connection at once, with the numbers of each', async () => {
    const firsts = [1, 1, 5, 95, 95, 1_000];
    const peers = firsts.map((first) => ({ first, ...collect() }));
    const queues = peers.map(({ socket }) => new OutboundQueue(socket));
    const events = Array.from({ length: 10 }, (_, index) => ({ index, frame: shared(encodeEventHead('chat', { index })) }));
    for (const { index, frame } of events) {
      for (const [peer, queue] of queues.entries()) {
        // One of them misses an event, one is answered in between, one is a node, whose events have no numbers.
        if (peer === 1 && index === 4) continue;
        if (peer === 4 && index === 7) queue.text('an answer');
        queue.event(frame, peer === 2 ? undefined : (peers[peer]?.first ?? 0) + index);
      }
    }
    while (queues.some(({ bufferedBytes }) => bufferedBytes > 0)) await turn();
    await turn();
    for (const [peer, { first, writes }] of peers.entries()) {
      const wanted = events.flatMap(({ index }) => {
        if (peer === 1 && index === 4) return [];
        const event = encodeEvent('chat', { index }, peer === 2 ? undefined : first + index);
        return peer === 4 && index === 7 ? ['an answer', event] : [event];
      });
      expect(await decode(Buffer.concat(writes), wanted.length)).toEqual(wanted);
      expect(writes).toHaveLength(1);
    }
    // Those with the same numbers are given the same bytes, not a copy of them.
    const numbered = await Promise.all(
      [3, 3].map(async (first) => {
        const { socket, writes } = collect();
        const queue = new OutboundQueue(socket);
        for (const { index, frame } of events) queue.event(frame, first + index);
        return { writes };
      }),
    );
    await turn();
    await turn();
    expect(numbered[1]?.writes[0]?.buffer).toBe(numbered[0]?.writes[0]?.buffer);
    expect(numbered[1]?.writes[0]?.byteOffset).toBe(numbered[0]?.writes[0]?.byteOffset);
  });

  it('keeps everything of one turn for one flush, in order, and counts what waits', async () => {
    const { socket, writes } = collect();
    const queue = new OutboundQueue(socket);
    for (let index = 0; index < 100; index += 1) queue.text(`${index}`);
    expect(writes).toHaveLength(0);
    expect(queue.bufferedBytes).toBe(100 * 2 + 190);
    await turn();
    await turn();
    expect(await decode(Buffer.concat(writes), 100)).toEqual(Array.from({ length: 100 }, (_, index) => `${index}`));
    expect(queue.bufferedBytes).toBe(0);
  });

  it('sends nothing any more once it is closed', async () => {
    const { socket, writes } = collect();
    const queue = new OutboundQueue(socket);
    queue.text('a');
    queue.close();
    queue.text('b');
    await turn();
    expect(writes).toEqual([]);
  });

  describe('behind a socket that takes nothing', () => {
    const NEWEST = { live: true, latestOf: 'tick' };

    /** A queue whose socket is full, and how to empty it. */
    async function full() {
      const socket = new PassThrough({ highWaterMark: 1_000 });
      const queue = new OutboundQueue(socket);
      queue.text('x'.repeat(2_000));
      await turn();
      expect(socket.writableNeedDrain).toBe(true);
      const read = async (count: number): Promise<string[]> => {
        const writes: Buffer[] = [];
        socket.on('data', (chunk) => writes.push(chunk));
        while (queue.bufferedBytes > 0) await turn();
        await turn();
        return (await decode(Buffer.concat(writes), count + 1)).slice(1);
      };
      return { queue, read };
    }
    const head = (event: string, payload = {}, waiting: SharedFrame['waiting'] = { live: true }) => shared(encodeEventHead(event, payload), waiting);

    it('keeps frames until it has room, in order', async () => {
      const { queue, read } = await full();
      for (let index = 0; index < 600; index += 1) queue.text(`${index}`);
      expect(await read(600)).toEqual(Array.from({ length: 600 }, (_, index) => `${index}`));
    });

    it('says that too much waits, in bytes or in frames, only after the socket was offered everything', async () => {
      const { queue } = await full();
      for (let index = 0; index < 9; index += 1) queue.text('a');
      expect([queue.isBeyond(1_000_000, 10), queue.isBeyond(1_000_000, 9), queue.isBeyond(2_000, 10)]).toEqual([false, true, true]);
      const { socket } = collect();
      const free = new OutboundQueue(socket);
      for (let index = 0; index < 600; index += 1) free.text('a');
      expect(free.isBeyond(1_000_000, 512)).toBe(false);
    });

    it('drops live events when it is told to, and nothing else', async () => {
      const { queue, read } = await full();
      queue.text('an answer');
      queue.event(head('chat'), 1);
      queue.event(head('inbox.item', {}, { live: false }), 2);
      queue.event(head('agent'), 3);
      expect(queue.clearLive()).toBe(2);
      expect(await read(2)).toEqual(['an answer', encodeEvent('inbox.item', {}, 2)]);
    });

    it('puts the newest in the place of an older one of the same name, with its own number', async () => {
      const { queue, read } = await full();
      expect(queue.event(head('tick', { ts: 1 }, NEWEST), 1)).toBe(true);
      queue.event(head('chat'), 2);
      expect(queue.event(head('tick', { ts: 2 }, NEWEST), 3)).toBe(false);
      expect(await read(2)).toEqual([encodeEvent('chat', {}, 2), encodeEvent('tick', { ts: 2 }, 3)]);
    });
  });
});
