// One way to send events to every connection, as a process: `argv[2]` says which. Answers `{count}` with the microseconds until the kernel had everything, and
// those of them that the processor worked.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodeResult } from '@plexus/client-protocol';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { ClientEndpoint } from '../../dist/src/adapters/ws/client-endpoint.js';
import { shareEvent } from '../../dist/src/application/client-connection.js';
import { Connections } from '../../dist/src/application/connections.js';

const DIFFERENT_NUMBERS = 40;
const kind = process.argv[2] as 'plexus' | 'ws' | 'socket.io';
const payload = JSON.parse(process.argv[3] as string);
const http = createServer();
const sockets = new Set<Duplex>();
http.on('connection', (socket) => {
  socket.setNoDelay(true);
  sockets.add(socket);
});

/** Sends one event to everybody. */
const SENDERS = {
  plexus: () => {
    const connections = new Connections();
    const nothing = () => undefined;
    const credential = { tenant: 't', user: 'u', credentialId: 'c', scopes: ['operator.read'] };
    const principal = { tenant: 't', user: 'u', role: 'user', scopes: ['operator.read'], credentialId: 'c' };
    const introduction = { role: 'operator', client: { id: 'test', version: '1', platform: 'linux', mode: 'test' }, caps: new Set() };
    const handshake = {
      admit: async () => ({ ok: true, value: { credential, principal, introduction, place: { release: nothing } } }),
      hello: (id: string) => encodeResult(id, { type: 'hello-ok' }),
      failed: nothing,
    };
    const inboxes = { join: nothing, leave: nothing, lag: nothing };
    const limits = {
      maxPayloadBytes: 1e6,
      maxBufferedBytes: 1e9,
      maxUnauthenticated: 1e6,
      maxRequests: 64,
      messagesPerSecond: 1e6,
      messageBurst: 1e6,
      shutdownSpreadMs: 0,
    };
    const metrics = { opened: nothing, closed: nothing, frame: nothing };
    const options = { ...limits, trustedProxies: { check: () => false } };
    const parts = [handshake, {}, connections, inboxes, options, nothing, metrics, {}] as unknown as ConstructorParameters<typeof ClientEndpoint>;
    const endpoint = new ClientEndpoint(...parts);
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => endpoint.upgrade(request, socket, head));
    const ready = () => connections.size;
    const send = () => {
      const shared = shareEvent('chat', payload);
      for (const connection of connections.all()) connection.send(shared);
    };
    // Connections that came at different times number the same event differently.
    const prepare = () => {
      for (const [index, connection] of [...connections.all()].entries()) {
        for (let count = index % DIFFERENT_NUMBERS; count > 0; count -= 1) connection.send(shareEvent('tick', {}));
      }
    };
    return { send, ready, prepare };
  },
  ws: () => {
    const server = new WebSocketServer({ server: http, perMessageDeflate: false });
    const send = () => {
      const text = JSON.stringify({ type: 'event', event: 'chat', payload });
      for (const client of server.clients) client.send(text);
    };
    return { send, ready: () => server.clients.size };
  },
  'socket.io': () => {
    const server = new Server(http, { transports: ['websocket'], pingInterval: 600_000 });
    return { send: () => server.emit('chat', payload), ready: () => server.sockets.sockets.size };
  },
};
const { send, ready, prepare }: { send: () => void; ready: () => number; prepare?: () => void } = SENDERS[kind]();

process.on('message', async ({ count, expect }: { count?: number; expect?: number }) => {
  if (expect !== undefined) {
    while (ready() < expect) await new Promise((resolve) => setTimeout(resolve, 20));
    prepare?.();
    do await nextTurn();
    while (isAnythingLeft());
    process.send?.({ ready: true });
    return;
  }
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const spent = () => {
    const { user, system } = process.cpuUsage(before);
    return { micros: (performance.now() - startedAt) * 1_000, worked: user + system };
  };
  for (let event = 0; event < (count ?? 1); event += 1) send();
  // Whether all is out is asked after the clock is read: looking at every socket is no part of sending.
  await nextTurn();
  let result = spent();
  while (isAnythingLeft()) {
    await nextTurn();
    result = spent();
  }
  process.send?.(result);
});
process.on('disconnect', () => process.exit(0));
http.listen(0, '127.0.0.1', 4_096, () => process.send?.({ port: (http.address() as AddressInfo).port }));

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether something has not left our queues or those of the sockets. */
function isAnythingLeft(): boolean {
  for (const socket of sockets) if (socket.writableLength > 0) return true;
  return false;
}
