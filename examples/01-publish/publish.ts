// An event enters the mesh. Stored when `publish` resolves; the same id again is the same event.
//   node examples/01-publish/publish.ts
import { connectPlexus } from '@plexus/sdk';
import { addresses, demo } from '../mesh.mjs';

const plexus = await connectPlexus({ servers: addresses().nats, tenant: 'default', source: 'demo', credentials: demo() });
const event = { id: `typescript-${Date.now()}`, key: 'case-7', data: { summary: '4,212 rows imported, says TypeScript', caseId: 'case-7' } };
console.log(await plexus.publish('import-finished', event));
console.log(await plexus.publish('import-finished', event)); // duplicate: true
await plexus.close();
