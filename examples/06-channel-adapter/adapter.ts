// A chat of your own as a channel: what people write there goes to an agent, its answer comes back.
//   node examples/06-channel-adapter/adapter.ts            plays one conversation and ends
//   node examples/06-channel-adapter/adapter.ts --stay     stays: `nc 127.0.0.1 6667`, say your name, then talk
// It is no part of the mesh and has no NATS credential: it shares a signing secret with the account that it configures, and speaks HTTP.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, plexus, stateDir, token } from '../mesh.mjs';
import { Room, type RoomMessage } from './room.ts';
import { deliver, receiver } from './signed-http.ts';

const account = 'channels.webhook.accounts.room';
const staying = process.argv.includes('--stay');
const folder = mkdtempSync(path.join(tmpdir(), 'room-'));
const secret = randomBytes(32).toString('base64url');

// In: from the room to the mesh. The address of the adapter `webhook` is noted in the state folder; yours is whatever its proxy is called.
const inbox = (): string => {
  const { 'channel-webhook': port } = JSON.parse(readFileSync(path.join(stateDir, 'ports.json'), 'utf8')) as Record<string, number>;
  return `http://127.0.0.1:${port}/channels/webhook/default/room`;
};
const hand = ({ id, author, text }: RoomMessage): Promise<void> =>
  deliver(inbox, secret, id, { chat: { kind: 'group', id: 'lobby' }, sender: { id: author, name: author }, text });
const room = new Room(async (message) => {
  await hand(message);
  await hand(message); // as if the first receipt had been lost: still one message
});

// Out: from the mesh to the room.
const repeat = Promise.withResolvers<void>();
const outbox = receiver(
  secret,
  ({ text }) => room.say('agent', text),
  () => repeat.resolve(),
);
await new Promise<void>((resolve) => outbox.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(outbox.address() as { port: number }).port}/`;

// The configuration holds a reference to the secret, never the secret.
const secretFile = path.join(folder, 'secret');
writeFileSync(secretFile, secret, { mode: 0o600 });
plexus('config', 'set', account, JSON.stringify({ groupPolicy: 'open', settings: { url, signingSecret: { file: secretFile } } }));
try {
  const port = await room.open(staying ? 6667 : 0);
  console.log(`the room is open: nc 127.0.0.1 ${port}`);
  if (staying) await new Promise((resolve) => process.once('SIGINT', resolve));
  else await talk(port);
} finally {
  plexus('config', 'unset', account);
  room.close();
  outbox.close();
  rmSync(folder, { recursive: true, force: true });
}

/** Somebody comes in, says one thing, and leaves with the answer. */
async function talk(port: number): Promise<void> {
  const said = `Is anybody here? (${Date.now()})`;
  const socket = connect(port, '127.0.0.1');
  socket.write(`ada\n${said}\n`);
  for await (const line of createInterface({ input: socket })) {
    console.log(line);
    if (line.startsWith('agent: ')) break;
  }
  // The receipt of that answer was lost on purpose (signed-http.ts): it comes once more, under the same id.
  await repeat.promise;
  console.log('the answer came twice and was shown once');
  const http = new PlexusHttp({ baseUrl: addresses().gateway.http, token: token() });
  const { messages } = await http.sessions.history('agent:main:webhook:group:lobby');
  console.log(`in the transcript ${messages.filter(({ role, text }) => role === 'user' && text.includes(said)).length} time(s)`);
}
