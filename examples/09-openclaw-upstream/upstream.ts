// An OpenClaw gateway that is there already, used from the mesh: its agent does research, and notices of ours show up in its chat.
//   OPENCLAW_URL=ws://127.0.0.1:18789 OPENCLAW_TOKEN=… node examples/09-openclaw-upstream/upstream.ts      yours
//   node examples/09-openclaw-upstream/upstream.ts                                  none: the mesh's own gateway stands in for it
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GatewayClient } from '@plexus/sdk/gateway';
import { addresses, plexus, token } from '../mesh.mjs';

const { OPENCLAW_URL, OPENCLAW_TOKEN } = process.env;
const upstream = OPENCLAW_URL ? { url: OPENCLAW_URL, token: OPENCLAW_TOKEN ?? '' } : { url: addresses().gateway.ws, token: token() };
console.log(
  OPENCLAW_URL
    ? `upstream: the OpenClaw gateway at ${OPENCLAW_URL}`
    : "upstream: no OPENCLAW_URL, so this mesh's own gateway stands in (same protocol, no OpenClaw)",
);

const sessionKey = 'agent:main:from-plexus';
const account = 'channels.upstream.accounts.example';
const folder = mkdtempSync(path.join(tmpdir(), 'upstream-'));
// Gateways of OpenClaw know a closed list of clients; this one keeps its scopes without a paired device.
const client = new GatewayClient({ ...upstream, client: { id: 'gateway-client', mode: 'backend' } });
try {
  await client.connect({ timeoutMs: 60_000 });

  // Research: a question to an agent over there. `agent` resolves with its whole answer; lost connections in between are survived.
  const answer = await client.agent({ message: 'What is the news?', sessionKey });
  console.log(`research: ${(answer as { status: string }).status}`);

  // Notices: the gateway as a channel of ours. `inject` shows a message without waking its agent.
  const secret = path.join(folder, 'token');
  writeFileSync(secret, upstream.token, { mode: 0o600 });
  plexus('config', 'set', account, JSON.stringify({ settings: { url: upstream.url, token: { file: secret }, deliver: 'inject', sessions: [sessionKey] } }));
  const notice = `The nightly import has finished (${Date.now()}).`;
  send(notice);

  const shown = JSON.stringify(await client.history(sessionKey));
  console.log(`in its history: the question ${shown.includes('What is the news?')}, the notice ${shown.includes(notice)}`);
} finally {
  client.close();
  plexus('config', 'unset', account);
  rmSync(folder, { recursive: true, force: true });
}

/** Sent under one key, so that trying again until the new account is known everywhere is one message. */
function send(text: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      console.log(plexus('send', 'upstream', sessionKey, text, '--account', 'example', '--key', text, '--wait-ms', '60000').trim());
      return;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}
