import { z } from 'zod';
import { type AccountPort, type ChannelAdapter, ChannelError, type OutgoingPart } from '../../src/kit/channel-adapter.js';
import { checkReachable } from '../../src/kit/guarded-address.js';

const boardSettings = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Address of the board.'),
  token: z.string().min(1).describe('What it knows us by.'),
});
type Port = AccountPort<z.output<typeof boardSettings>>;

const Page = z.object({ messages: z.array(z.object({ id: z.number(), room: z.string(), author: z.string(), text: z.string(), at: z.iso.datetime() })) });

export const boardAdapter: ChannelAdapter<typeof boardSettings> = {
  adapter: 'board',
  settings: boardSettings,
  textLimit: 2_000,
  attachments: 'links',
  connect: async (port) => {
    await checkReachable(port.settings.url, ['http:', 'https:'], port.privateHosts);
    // A wrong token shows here: the account is then `down` with the reason.
    await call(port, 'GET', '/me');
    const polling = poll(port);
    return { send: (part, signal) => post(port, part, signal), close: () => polling };
  },
};

/** The board keeps a cursor per bot and moves it when we confirm: so we confirm after `receive` has resolved, never before. */
async function poll(port: Port): Promise<void> {
  while (!port.signal.aborted) {
    try {
      const { messages } = Page.parse(await call(port, 'GET', '/updates?wait=2'));
      for (const { id, room, author, text, at } of messages) {
        await port.receive({ messageId: String(id), chat: { kind: 'group', id: room }, sender: { id: author }, text, receivedAt: at });
      }
      if (messages.length > 0) await call(port, 'POST', '/confirm', { id: messages.at(-1)?.id });
      port.recovered();
    } catch (error) {
      if (port.signal.aborted) return;
      port.degraded(error);
      await port.clock.sleep(1_000, port.signal).catch(() => {}); // stopped: the loop ends
    }
  }
}

async function post(port: Port, { to, text, idempotencyKey }: OutgoingPart, signal: AbortSignal): Promise<{ messageId: string }> {
  const { id } = z.object({ id: z.number() }).parse(await call(port, 'POST', '/messages', { room: to, text, key: idempotencyKey }, signal));
  return { messageId: String(id) };
}

async function call({ settings, signal }: Port, method: string, path: string, body?: unknown, also = signal): Promise<unknown> {
  const response = await fetch(settings.url + path, {
    method,
    redirect: 'error',
    headers: { authorization: `Bearer ${settings.token}`, 'content-type': 'application/json' },
    signal: AbortSignal.any([signal, also, AbortSignal.timeout(10_000)]),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (response.ok) return response.json();
  const { status } = response;
  const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * 1_000;
  throw new ChannelError({
    message: `the board answers ${status}`,
    code: String(status),
    status,
    refused: status === 401,
    ...(retryAfterMs > 0 && { retryAfterMs }),
  });
}
