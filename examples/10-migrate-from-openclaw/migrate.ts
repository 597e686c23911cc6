// A single OpenClaw gateway moves in: first what would happen, then the import, then an old conversation in its new place.
//   node examples/10-migrate-from-openclaw/migrate.ts
// It takes the small made-up gateway in the folder `openclaw` here, and puts everything back at the end. For yours the command alone will do:
//   npx plexus import openclaw ~/.openclaw --dry-run
import path from 'node:path';
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, plexus, token } from '../mesh.mjs';

/** What the command says with --json, as far as it is used here. */
interface Report {
  readonly changed: boolean;
  readonly sessions: readonly { readonly sessionKey: string; readonly created: boolean; readonly appended: number }[];
}

const folder = path.join(import.meta.dirname, 'openclaw');
const bringIn = (): Report => JSON.parse(plexus('--json', 'import', 'openclaw', folder)) as Report;
const [before] = JSON.parse(plexus('--json', 'config', 'history', '--limit', '1')) as { revision: number }[];

console.log(plexus('import', 'openclaw', folder, '--dry-run'));
const { sessions } = bringIn();
try {
  for (const { sessionKey, appended } of sessions) console.log(`imported ${sessionKey}: ${appended} messages`);
  console.log(`imported once more: ${bringIn().changed ? 'something changed' : 'nothing changed'}`);

  // Whoever asks under the old key finds the old conversation; the agent that answers next has it as its history.
  const http = new PlexusHttp({ baseUrl: addresses().gateway.http, token: token() });
  const { messages } = await http.sessions.history('agent:main:telegram:group:-1001234');
  for (const { at, role, text } of messages) console.log(`${at} ${role}: ${text}`);
} finally {
  for (const { sessionKey, created } of sessions) if (created) plexus('session', 'delete', sessionKey);
  if (before !== undefined) plexus('config', 'rollback', String(before.revision));
}
