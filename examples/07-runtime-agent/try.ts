// An agent program of yours as an agent of the mesh. The mesh has to allow runtimes that it does not start itself:
//   PROVIDER=local,external npm start
//   node examples/07-runtime-agent/try.ts
// It adds an agent `reader` with a VM of its own, starts the runtime for that VM, asks a question, and takes everything away again.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { GatewayClient } from '@plexus/sdk/gateway';
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, plexus, token } from '../mesh.mjs';

const { gateway } = addresses();

// The ticket lets one runtime in, once. `plexus vm attach --scope agent:reader` says the same on the command line.
const http = new PlexusHttp({ baseUrl: gateway.http, token: token() });
type Attachment = { vmId: string; userId: string; ticket: string; token: string; ws: string };
const { vmId, userId, ticket, token: vmToken, ws } = await http.request<Attachment>('POST', '/v1/vms/attach', { body: { scope: 'agent:reader' } });
const env = { PATH: process.env.PATH, VM_USER_ID: userId, VM_TICKET: ticket, VM_TOKEN: vmToken, CONTROL_PLANE_WS: ws };
const runtime = spawn(process.execPath, [path.join(import.meta.dirname, 'runtime.ts')], { env, stdio: ['ignore', 'inherit', 'inherit'] });
const ended = new Promise((resolve) => runtime.once('exit', resolve));

// All sessions of this agent share that VM, and nobody else's get into it.
plexus('agents', 'add', 'reader', '--scope', 'agent');
const client = new GatewayClient({ url: gateway.ws, token: token(), caps: ['tool-events'] });
try {
  await client.connect({ timeoutMs: 90_000 });
  // A change of the configuration is everywhere a moment later.
  while (!JSON.stringify(await client.request('agents.list')).includes('"reader"')) await new Promise((resolve) => setTimeout(resolve, 100));
  client.on('agent', (payload) => {
    const { stream, data } = payload as { stream: string; data: { name?: string; phase?: string } };
    if (stream === 'tool') console.log(`\n[${data.name}: ${data.phase}]`);
  });
  await http.memory.write({ content: 'The blue kettle stands in cabinet 12.', kind: 'fact' });
  for await (const piece of client.chatSend({ sessionKey: 'agent:reader:main', message: 'where is the blue kettle' })) {
    if (piece.type === 'delta') process.stdout.write(piece.text);
    else console.log(`\n${piece.type}: ${piece.text}`);
  }
} finally {
  client.close();
  plexus('agents', 'rm', 'reader');
  await http.request('DELETE', `/v1/vms/${vmId}`);
  // It would notice at its next heartbeat (4409) and end by itself; we do not wait for that.
  runtime.kill();
  await ended;
}
