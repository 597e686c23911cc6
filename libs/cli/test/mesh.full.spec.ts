import { GatewayClient } from '@plexus/client-protocol';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import WebSocket from 'ws';

describe('a whole mesh', () => {
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 180_000);

  async function withClient<T>(token: string, work: (client: GatewayClient) => Promise<T>): Promise<T> {
    const client = new GatewayClient({ url: mesh.gateway.ws, token, createSocket: (url) => new WebSocket(url) as never });
    try {
      await client.connect({ timeoutMs: 60_000 });
      return await work(client);
    } finally {
      client.close();
    }
  }

  it('keeps what was said over a restart of everything', async () => {
    const sessionKey = 'agent:main:restart';
    await withClient(mesh.token, async (client) => {
      for await (const _piece of client.chatSend({ sessionKey, message: 'remember the milk', idempotencyKey: 'restart-1' }));
      await waitFor(async () => ((await client.history(sessionKey)) as { messages: unknown[] }).messages.length === 2, { what: 'both sides' });
    });
    await mesh.restartAll();
    const history = await withClient(mesh.token, (client) => client.history(sessionKey));
    const messages = (history as { messages: { role: string; content: { text: string }[] }[] }).messages;
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(messages[0]?.content[0]?.text).toBe('remember the milk');
    await withClient(mesh.token, async (client) => {
      const pieces = [];
      for await (const piece of client.chatSend({ sessionKey, message: 'and the bread' })) pieces.push(piece);
      expect(pieces.at(-1)?.type).toBe('final');
    });
  }, 180_000);
});
