// Facts of the mesh, twice: as they happen (at most once), and at least once through a durable consumer.
//   npx plexus integrator consumer demo session      (once, by an operator)
//   node examples/02-subscribe/subscribe.ts
// Then talk to the agent, in the console or with `npm run demo`, and watch. Ends by itself after one fact, or with Ctrl-C.
import { connectPlexus } from '@plexus/sdk';
import { sessionContracts } from '@plexus/sdk/contracts';
import { addresses, demo } from '../mesh.mjs';

const plexus = await connectPlexus({ servers: addresses().nats, tenant: 'default', source: 'demo', credentials: demo() });

const live = plexus.subscribe(sessionContracts.sessionMessage);
process.once('SIGINT', () => live.stop());

// A handler that throws gets the fact again, also after a restart: use event.id as the key of what you do with it.
let kept = 0;
const consumption = plexus.consume([sessionContracts.sessionMessage], async ({ event }) => {
  kept += 1;
  console.log(`kept    ${event?.id}`);
});

console.log('watching');
for await (const { event, data } of live) {
  console.log(`passing ${event.id} ${JSON.stringify(data).slice(0, 120)}`);
  break;
}
// The durable side is a moment behind.
for (let waited = 0; kept === 0 && waited < 90_000; waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
console.log(`dropped ${live.dropped}, kept ${kept}`);
await consumption.stop();
await plexus.close();
