// Opens connections to one server and throws away what comes: `argv` is kind, port and how many. Says `ready` when all are open.
import { connect } from 'node:net';

const [kind, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const path = kind === 'socket.io' ? '/socket.io/?EIO=4&transport=websocket' : '/';
const upgrade = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
const hello = JSON.stringify({
  type: 'req',
  id: 'c',
  method: 'connect',
  params: {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: 'test', version: '1', platform: 'linux', mode: 'test' },
    role: 'operator',
    scopes: ['operator.read'],
    auth: { token: 'x' },
  },
});
const GREETINGS: Readonly<Record<string, string>> = { 'socket.io': '40', plexus: hello };

for (let opened = 0; opened < count; opened += 1) await open();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (kind === 'raw') resolve();
      else socket.write(upgrade);
    });
    socket.once('error', reject);
    if (kind !== 'raw') {
      socket.once('data', () => {
        const greeting = GREETINGS[kind as string];
        if (greeting !== undefined) socket.write(masked(greeting));
        // The answer to the greeting comes by itself; nothing is counted before everybody is in.
        resolve();
      });
    }
    socket.on('data', () => undefined);
  });
}

/** A masked text frame; a mask of zeros leaves the text as it is. */
function masked(text: string): Buffer {
  const body = Buffer.from(text);
  const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}
