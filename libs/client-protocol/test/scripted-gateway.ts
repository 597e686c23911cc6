import type { AddressInfo } from 'node:net';
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
