import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { encodeEvent, encodeEventHead } from '@plexus/client-protocol';
import * as ws from 'ws';
import { OutboundQueue, textFrameHeader } from './outbound-queue.js';

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

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('OutboundQueue', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 100_000])('frames a text of %i bytes as RFC 6455 says', async (length) => {
    const text = 'x'.repeat(length);
    expect(await decode(Buffer.concat([textFrameHeader(length), Buffer.from(text)]), 1)).toEqual([text]);
  });

  it('sends a shared event with a number of its own to each connection', async () => {
    const head = Buffer.from(encodeEventHead('chat', { text: 'é' }));
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
});
