import { type ChatPiece, GatewayClient } from '@plexus/client-protocol';
import { type FakeAnswer, type FakeOpenAi, type OpenClawGateway, openclawProgram, startFakeOpenAi, startOpenClawGateway, waitFor } from '@plexus/testing';
import { upstreamAdapter } from '../src/upstream/upstream.adapter.js';
import { ChannelMesh } from './support/channel-mesh.js';

const PATIENCE_MS = 200_000;
/** Two starts of the package and everything between. */
const WHOLE_MS = 600_000;
const program = openclawProgram();
const sessionKey = 'agent:main:main';

const ANSWERS: Readonly<Record<string, FakeAnswer>> = {
  'hi there': { kind: 'text', pieces: ['Hello', ' from', ' OpenClaw.'] },
  'what is the news': { kind: 'text', pieces: ['Nothing', ' much', ' today.'] },
  'please go on for ever': { kind: 'text', pieces: Array.from({ length: 2_000 }, (_, index) => `word${index} `), pauseMs: 50 },
};

/** Answers what was asked last, wherever the package puts it among what it adds itself. */
function scripted({ messages }: { messages: readonly unknown[] }): FakeAnswer {
  const text = JSON.stringify(messages);
  const [newest] = Object.keys(ANSWERS).sort((one, other) => text.lastIndexOf(other) - text.lastIndexOf(one));
  return ANSWERS[newest as string] as FakeAnswer;
}

if (program === undefined) {
  describe.skip('a real OpenClaw gateway as upstream: the package is not installed', () => {
    it('is tested where the package is installed', () => undefined);
  });
} else {
  describe('a real OpenClaw gateway as upstream', () => {
    let model: FakeOpenAi;
    let upstream: OpenClawGateway;
    const clients: GatewayClient[] = [];

    beforeAll(async () => {
      model = await startFakeOpenAi(scripted);
      upstream = await startOpenClawGateway(program, model.baseUrl);
    }, PATIENCE_MS);
    afterEach(() => {
      for (const client of clients.splice(0)) client.close();
    });
    afterAll(async () => {
      await upstream?.stop();
      await model?.stop();
    }, PATIENCE_MS);

    function clientOf(more: Partial<ConstructorParameters<typeof GatewayClient>[0]> = {}): GatewayClient {
      const client = new GatewayClient({ url: upstream.ws, token: upstream.token, client: { id: 'gateway-client', mode: 'backend' }, ...more });
      clients.push(client);
      return client;
    }
    async function read(stream: AsyncIterable<ChatPiece>): Promise<ChatPiece[]> {
      const pieces: ChatPiece[] = [];
      for await (const piece of stream) pieces.push(piece);
      return pieces;
    }

    it(
      'GatewayClient shakes hands, streams an answer, reads the history, injects, calls an agent and resets',
      async () => {
        const bad: string[] = [];
        const client = clientOf({ onBadFrame: (problem) => bad.push(problem) });
        const hello = await client.connect({ timeoutMs: 60_000 });
        expect(hello.protocol).toBe(4);
        expect(await client.request('health')).toMatchObject({ ok: true });

        const pieces = await read(client.chatSend({ sessionKey, message: 'hi there' }));
        expect(pieces.at(-1)).toMatchObject({ type: 'final', text: 'Hello from OpenClaw.' });
        expect(JSON.stringify(await client.history(sessionKey))).toContain('Hello from OpenClaw.');

        await client.inject(sessionKey, 'a note from outside', 'note');
        expect(JSON.stringify(await client.history(sessionKey))).toContain('a note from outside');

        const result = await client.agent({ message: 'what is the news', sessionKey: 'agent:main:second' });
        expect(result).toMatchObject({ status: 'ok' });
        expect(JSON.stringify(result)).toContain('Nothing much today.');
        await client.reset(sessionKey);
        expect(JSON.stringify(await client.history(sessionKey))).not.toContain('Hello from OpenClaw.');
        expect(bad).toEqual([]);
      },
      PATIENCE_MS,
    );

    it(
      'an answer in flight is stopped by abort',
      async () => {
        const client = clientOf();
        await client.connect({ timeoutMs: 60_000 });
        const stream = client.chatSend({ sessionKey, message: 'please go on for ever' });
        const first = await stream.next();
        expect(first.value).toMatchObject({ type: 'delta' });
        await client.abort(sessionKey, stream.runId);
        expect((await read(stream)).at(-1)).toMatchObject({ type: 'aborted' });
      },
      PATIENCE_MS,
    );

    it(
      'the upstream channel sends to it, brings its answers in, and survives its restart',
      async () => {
        const mesh = await ChannelMesh.start();
        try {
          await mesh.configure({ upstream: { accounts: { main: { settings: { url: upstream.ws, token: mesh.secret('token', upstream.token) } } } } });
          await mesh.run(upstreamAdapter);
          await mesh.state('main', 'up');
          await mesh.send('upstream', { sendId: 'ask', to: sessionKey, text: 'what is the news' });
          await mesh.outcome('ask');
          const brought = () => mesh.events.filter(({ name, data }) => name === 'message-received' && data.text === 'Nothing much today.');
          await waitFor(() => brought().length === 1, { what: 'the answer', timeoutMs: PATIENCE_MS });
          expect(brought()[0]?.data).toMatchObject({ account: 'main', chat: { kind: 'dm', id: sessionKey } });

          await upstream.restart();
          await mesh.send('upstream', { sendId: 'again', to: sessionKey, text: 'what is the news now' });
          await mesh.outcome('again');
          await waitFor(() => brought().length === 2, { what: 'the answer after the restart', timeoutMs: PATIENCE_MS });
        } finally {
          await mesh.stop();
        }
      },
      WHOLE_MS,
    );
  });
}
