// A question with an immediate answer, asked on behalf of a user of the tenant. The token says for whom:
//   export PLEXUS_USER_TOKEN=$(npx plexus token mint --user me)
//   node examples/03-call/call.ts
import { connectPlexus, PlexusError } from '@plexus/sdk';
import { routingContracts } from '@plexus/sdk/contracts';
import { addresses, demo } from '../mesh.mjs';

const token = process.env.PLEXUS_USER_TOKEN;
if (!token) throw new Error('Set PLEXUS_USER_TOKEN: npx plexus token mint --user me');

const plexus = await connectPlexus({ servers: addresses().nats, tenant: 'default', source: 'demo', credentials: demo(), token });
const { agents } = await plexus.call(routingContracts.listAgents, {});
console.log(`agents: ${agents.map(({ id }) => id).join(', ')}`);

// Which agent and session would a message go to, and why?
const route = await plexus.call(routingContracts.resolveRoute, { channel: 'telegram', accountId: 'default', peer: { kind: 'dm', id: '4711' } });
console.log(`telegram 4711 → ${route.sessionKey} (${route.matchedBy})`);

// Errors have a code that stays.
try {
  await plexus.call(routingContracts.listAgents, {}, { token: 'not a token' });
} catch (error) {
  console.log(`without a good token: ${(error as PlexusError).code}`);
}
await plexus.close();
