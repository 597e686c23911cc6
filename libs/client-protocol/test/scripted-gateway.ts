import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type WebSocket, WebSocketServer } from 'ws';
import { encodeEvent, encodeFailure, encodeResult } from '../src/frames.js';

export interface ScriptedConnection {
  readonly socket: WebSocket;
  readonly number: number;
  send(text: string): void;
  event(event: string, payload: unknown): void;
}

export interface ScriptedRequest {
  readonly id: string;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

export type Script = (request: ScriptedRequest, connection: ScriptedConnection) => void;

export interface ScriptedGateway {
  readonly url: string;
  readonly connections: ScriptedConnection[];
  readonly requests: ScriptedRequest[];
  /** Refuse connects with this error from now on; undefined = accept. */
  refuse: { code: string; message: string; details?: Record<string, unknown> } | undefined;
  tickIntervalMs: number;
  stop(): Promise<void>;
}

/** A gateway that does what the test says, on a free loopback port: for what a healthy gateway never does. */
export async function startScriptedGateway(script: Script, port = 0): Promise<ScriptedGateway> {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  await new Promise((resolve) => server.once('listening', resolve));
  const gateway: ScriptedGateway = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: [],
    requests: [],
    refuse: undefined,
    tickIntervalMs: 15_000,
    stop: async () => {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('connection', (socket) => {
    let seq = 0;
    const connection: ScriptedConnection = {
      socket,
      number: gateway.connections.length,
      send: (text) => socket.send(text),
      event: (event, payload) => socket.send(encodeEvent(event, payload, ++seq)),
    };
    gateway.connections.push(connection);
    socket.send(encodeEvent('connect.challenge', { nonce: 'n', ts: 1 }));
    socket.on('message', (data) => {
      const request = JSON.parse(String(data)) as ScriptedRequest;
      if (request.method !== 'connect') {
        gateway.requests.push(request);
        script(request, connection);
      } else if (gateway.refuse !== undefined) {
        socket.send(encodeFailure(request.id, gateway.refuse));
        socket.close(1008, 'refused');
      } else {
        socket.send(
          encodeResult(request.id, {
            type: 'hello-ok',
            protocol: 4,
            policy: { tickIntervalMs: gateway.tickIntervalMs },
            features: { capabilities: ['plexus-inbox-v1'] },
          }),
        );
      }
    });
  });
  return gateway;
}

const TICKING = `
const { parentPort } = require('node:worker_threads');
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => parentPort.postMessage(server.address().port));
server.on('connection', (socket) => {
  let seq = 0;
  const say = (frame) => socket.send(JSON.stringify(frame));
  say({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 1 } });
  socket.on('message', (data) => {
    const { id } = JSON.parse(String(data));
    say({ type: 'res', id, ok: true, payload: { type: 'hello-ok', protocol: 4, policy: { tickIntervalMs: 2000 } } });
    const timer = setInterval(() => say({ type: 'event', event: 'tick', payload: { ts: Date.now() }, seq: ++seq }), 100);
    socket.on('close', () => clearInterval(timer));
  });
});
`;

/** A gateway in a thread of its own, that says every 100 ms that it lives, whatever this thread does. It promises to do so every 2 s: that is kept on a busy machine too. */
export async function startTickingThread(): Promise<{ readonly url: string; stop(): Promise<unknown> }> {
  const worker = new Worker(TICKING, { eval: true });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { url: `ws://127.0.0.1:${port}`, stop: () => worker.terminate() };
}
