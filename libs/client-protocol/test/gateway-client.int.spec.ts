import { textMessage } from '../src/events.js';
import { encodeFailure, encodeResult } from '../src/frames.js';
import { GatewayClient, type GatewayClientOptions } from '../src/gateway-client.js';
import { GatewayError } from '../src/gateway-error.js';
import { type Script, type ScriptedGateway, startScriptedGateway, startTickingThread } from './scripted-gateway.js';

const sessionKey = 'agent:main:main';
const stops: (() => unknown)[] = [];

async function start(script: Script = () => undefined): Promise<ScriptedGateway> {
  const gateway = await startScriptedGateway(script);
  stops.push(() => gateway.stop());
  return gateway;
}

function clientOf(gateway: { url: string }, options: Partial<GatewayClientOptions> = {}): GatewayClient {
  const client = new GatewayClient({ url: gateway.url, reconnect: { baseMs: 20, capMs: 100 }, ...options });
  stops.push(() => client.close());
  return client;
}

async function awaited(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

describe('GatewayClient', () => {
  it('shakes hands and answers requests in whatever order the responses come', async () => {
    const held: string[] = [];
    const gateway = await start((request, connection) => {
      held.push(request.id);
      if (held.length === 2) for (const id of held.reverse()) connection.send(encodeResult(id, { id }));
    });
    const client = clientOf(gateway);
    const hello = await client.connect();
    expect(hello.protocol).toBe(4);
    const [first, second] = (await Promise.all([client.request('a'), client.request('b')])) as { id: string }[];
    expect(first?.id.startsWith('1:')).toBe(true);
    expect(second?.id.startsWith('2:')).toBe(true);
  });

  it('asks for a credential at every connection, and stops where there will be none', async () => {
    const gateway = await start();
    let asked = 0;
    const token = async () => {
      asked += 1;
      if (asked < 3) return `ticket-${asked}`;
      throw new GatewayError({ code: 'INVALID_REQUEST', message: 'signed out', details: { code: 'AUTH_TOKEN_MISSING' } });
    };
    const client = clientOf(gateway, { token });
    await client.connect();
    gateway.connections[0]?.socket.terminate();
    await awaited(() => asked === 2 && client.state === 'connected', 'a second connection');
    gateway.connections[1]?.socket.terminate();
    await awaited(() => client.state === 'refused', 'the refusal');
    await expect(client.request('health')).rejects.toMatchObject({ message: 'signed out' });
  });

  it('tries again when a credential could not be had', async () => {
    const gateway = await start();
    let asked = 0;
    const client = clientOf(gateway, {
      token: async () => {
        asked += 1;
        if (asked === 1) throw new Error('the network is down');
        return 'ticket';
      },
    });
    await client.connect();
    expect(asked).toBe(2);
  });

  it('rejects an unanswered request when the connection goes, and says that the outcome is unknown', async () => {
    const gateway = await start((_request, connection) => connection.socket.terminate());
    const client = clientOf(gateway);
    await client.connect();
    await expect(client.request('chat.inject', { sessionKey, message: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      details: { code: 'CONNECTION_LOST' },
    });
  });

  it('sends a repeatable request again after a reconnect instead of losing it', async () => {
    const gateway = await start((request, connection) => {
      if (connection.number === 0) connection.socket.terminate();
      else connection.send(encodeResult(request.id, { messages: [] }));
    });
    const client = clientOf(gateway);
    await client.connect();
    await expect(client.history(sessionKey)).resolves.toEqual({ messages: [] });
    expect(gateway.requests.map(({ id }) => id)).toEqual([gateway.requests[0]?.id, gateway.requests[0]?.id]);
  });

  it('lets a request that was made while it was away wait for the connection', async () => {
    const gateway = await start((request, connection) => connection.send(encodeResult(request.id, 'here')));
    const client = clientOf(gateway);
    const answer = client.request('health');
    await client.connect();
    await expect(answer).resolves.toBe('here');
  });

  it('gives every request a time limit', async () => {
    const client = clientOf(await start());
    await client.connect();
    await expect(client.request('health', {}, { timeoutMs: 30 })).rejects.toMatchObject({ details: { code: 'TIMEOUT' } });
  });

  it('refuses more than its bound of waiting requests', async () => {
    const client = clientOf(await start(), { maxPending: 1 });
    await client.connect();
    client.request('health').catch(() => undefined);
    await expect(client.request('health')).rejects.toMatchObject({ details: { code: 'QUEUE_FULL' } });
  });

  it('streams an answer and continues it after the connection was cut, without losing or doubling text', async () => {
    const gateway = await start((request, connection) => {
      const run = { runId: request.params.idempotencyKey, sessionKey };
      if (connection.number === 0) {
        connection.send(encodeResult(request.id, { runId: run.runId, status: 'started' }));
        connection.event('chat', { ...run, seq: 1, state: 'delta', deltaText: 'One ', message: textMessage('assistant', 'One ', 1) });
        setTimeout(() => connection.socket.terminate(), 20);
      } else {
        connection.send(encodeResult(request.id, { runId: run.runId, status: 'in_flight' }));
        connection.event('chat', { ...run, seq: 3, state: 'delta', deltaText: 'three', message: textMessage('assistant', 'One two three', 1) });
        connection.event('chat', { ...run, seq: 4, state: 'final', message: textMessage('assistant', 'One two three', 1) });
      }
    });
    const client = clientOf(gateway);
    await client.connect();
    let shown = '';
    for await (const piece of client.chatSend({ sessionKey, message: 'count' }))
      shown = piece.type === 'delta' && !piece.replace ? shown + piece.text : piece.text;
    expect(shown).toBe('One two three');
    expect(new Set(gateway.requests.map(({ params }) => params.idempotencyKey)).size).toBe(1);
  });

  it('learns of an end that came while nobody was connected', async () => {
    let ended = false;
    const gateway = await start((request, connection) => {
      const runId = request.params.idempotencyKey;
      if (connection.number === 0) {
        connection.send(encodeResult(request.id, { runId, status: 'started' }));
        setTimeout(() => connection.socket.terminate(), 5);
      } else if (!ended) {
        // The end is in the stream already but the owner of the run has not closed it: no event will ever come on this connection.
        ended = true;
        connection.send(encodeResult(request.id, { runId, status: 'in_flight' }));
      } else {
        connection.send(encodeResult(request.id, { runId, status: 'ok', message: textMessage('assistant', 'done', 1) }));
      }
    });
    const client = clientOf(gateway);
    await client.connect();
    const pieces = [];
    for await (const piece of client.chatSend({ sessionKey, message: 'x' })) pieces.push(piece);
    expect(pieces).toMatchObject([{ type: 'final', text: 'done' }]);
  });

  it('reads the answer from the history where the gateway only says that the run is over', async () => {
    const gateway = await start((request, connection) => {
      if (request.method === 'chat.send') connection.send(encodeResult(request.id, { runId: request.params.idempotencyKey, status: 'ok' }));
      else connection.send(encodeResult(request.id, { messages: [textMessage('user', 'x', 1), textMessage('assistant', 'from history', 2)] }));
    });
    const client = clientOf(gateway);
    await client.connect();
    const { value } = await client.chatSend({ sessionKey, message: 'x' }).next();
    expect(value).toMatchObject({ type: 'final', text: 'from history' });
  });

  it('fails the stream of a message that was refused', async () => {
    const gateway = await start((request, connection) => connection.send(encodeFailure(request.id, { code: 'INVALID_REQUEST', message: 'no' })));
    const client = clientOf(gateway);
    await client.connect();
    await expect(client.chatSend({ sessionKey, message: 'x' }).next()).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('aborts the run when the signal of its stream is aborted', async () => {
    const gateway = await start((request, connection) => connection.send(encodeResult(request.id, { status: 'started', ok: true })));
    const client = clientOf(gateway);
    await client.connect();
    const abort = new AbortController();
    const stream = client.chatSend({ sessionKey, message: 'x' }, { signal: abort.signal });
    await awaited(() => gateway.requests.length === 1, 'chat.send');
    abort.abort();
    await expect(stream.next()).rejects.toMatchObject({ details: { code: 'ABORTED' } });
    await awaited(() => gateway.requests.some(({ method }) => method === 'chat.abort'), 'chat.abort');
  });

  it('waits for the second response of an agent call', async () => {
    const gateway = await start((request, connection) => {
      connection.send(encodeResult(request.id, { runId: 'r', status: 'accepted' }));
      connection.send(encodeResult(request.id, { runId: 'r', status: 'ok', summary: 'done' }));
    });
    const client = clientOf(gateway);
    await client.connect();
    await expect(client.agent({ message: 'x' })).resolves.toMatchObject({ status: 'ok' });
  });

  it('leaves a socket on which nothing is heard for two tick intervals, and comes back', async () => {
    const gateway = await start();
    gateway.tickIntervalMs = 40;
    const client = clientOf(gateway);
    await client.connect();
    const codes: number[] = [];
    gateway.connections[0]?.socket.on('close', (code) => codes.push(code));
    await awaited(() => gateway.connections.length >= 2 && client.state === 'connected', 'second connection');
    await awaited(() => codes.length > 0, 'the close of the first connection');
    expect(codes).toEqual([4000]);
  });

  it('stays when it was itself that did not run for long: what the server said meanwhile is read first', async () => {
    const gateway = await startTickingThread();
    stops.push(() => gateway.stop());
    const states: string[] = [];
    const client = clientOf(gateway, { onState: (state) => states.push(state) });
    await client.connect();
    for (let stall = 0; stall < 2; stall += 1) {
      const until = performance.now() + 6_000;
      // Nothing of this thread runs; the gateway is in another one and goes on saying that it lives.
      while (performance.now() < until);
      let ticks = 0;
      const stop = client.on('tick', () => {
        ticks += 1;
      });
      await awaited(() => ticks > 3, 'ticks');
      stop();
    }
    expect(states).toEqual(['connecting', 'connected']);
  });

  it('stays while ticks come', async () => {
    const gateway = await start();
    gateway.tickIntervalMs = 500;
    const client = clientOf(gateway);
    await client.connect();
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        gateway.connections[0]?.event('tick', { ts: Date.now() });
        ticks += 1;
        if (ticks < 15) return;
        clearInterval(timer);
        resolve();
      }, 100);
    });
    expect(gateway.connections).toHaveLength(1);
  });

  it('stops at a refusal that trying again cannot change, and says which', async () => {
    const gateway = await start();
    gateway.refuse = { code: 'INVALID_REQUEST', message: 'unauthorized', details: { code: 'AUTH_TOKEN_MISMATCH' } };
    const client = clientOf(gateway);
    await expect(client.connect()).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { code: 'AUTH_TOKEN_MISMATCH' } });
    expect(client.state).toBe('refused');
    await expect(client.request('health')).rejects.toMatchObject({ details: { code: 'AUTH_TOKEN_MISMATCH' } });
    gateway.refuse = undefined;
    await client.connect();
    expect(client.state).toBe('connected');
  });

  it('goes on trying after the alert, and recovers', async () => {
    const gateway = await start();
    gateway.refuse = { code: 'UNAVAILABLE', message: 'starting' };
    const alerts: number[] = [];
    const client = clientOf(gateway, { reconnect: { baseMs: 1, capMs: 5, alertAfter: 3 }, onAlert: ({ attempts }) => alerts.push(attempts) });
    const connected = client.connect();
    await awaited(() => alerts.length >= 2, 'two alerts');
    expect(client.state).toBe('degraded');
    expect(alerts.slice(0, 2)).toEqual([3, 6]);
    gateway.refuse = undefined;
    await connected;
    expect(client.state).toBe('connected');
  });

  it('skips frames that it cannot read and reports gaps', async () => {
    const gateway = await start((request, connection) => {
      for (const frame of ['{', '[]', '{"type":"res","id":"","ok":true}', '{"type":"event","event":"x","seq":9}']) connection.send(frame);
      connection.send(encodeResult(request.id, 'still here'));
    });
    const bad: string[] = [];
    const gaps: unknown[] = [];
    const client = clientOf(gateway, { onBadFrame: (problem) => bad.push(problem), onGap: (gap) => gaps.push(gap) });
    await client.connect();
    await expect(client.request('health')).resolves.toBe('still here');
    expect(bad).toHaveLength(3);
    expect(gaps).toEqual([{ expected: 1, received: 9 }]);
  });

  it('rejects everything that waits when it is closed', async () => {
    const client = clientOf(await start());
    await client.connect();
    const request = client.request('health');
    const next = client.chatSend({ sessionKey, message: 'x' }).next();
    client.close();
    await expect(request).rejects.toMatchObject({ details: { code: 'CLIENT_CLOSED' } });
    await expect(next).rejects.toMatchObject({ details: { code: 'CLIENT_CLOSED' } });
    await expect(client.connect()).rejects.toMatchObject({ details: { code: 'CLIENT_CLOSED' } });
  });
});
