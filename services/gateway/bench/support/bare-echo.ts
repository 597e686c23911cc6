// A bare `ws` server that sends every message back, as a process with the flags of a service.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
process.on('disconnect', () => process.exit(0));
http.listen(0, '127.0.0.1', 4_096, () => process.send?.({ type: 'ready', extra: { ws: `ws://127.0.0.1:${(http.address() as AddressInfo).port}` } }));
