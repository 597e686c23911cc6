// Follow a case, decide how one may be interrupted, publish, and ask why.
//   node examples/04-push-with-a-policy/push.ts
import { readFileSync } from 'node:fs';
import { connectPlexus } from '@plexus/sdk';
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, demo, token } from '../mesh.mjs';

const { gateway, nats } = addresses();
const http = new PlexusHttp({ baseUrl: gateway.http, token: token() });

// A policy is a file with its own tests. A draft whose tests fail, or which would lose critical messages of the past, cannot be activated.
const text = readFileSync(new URL('policy.yaml', import.meta.url), 'utf8');
const { policy } = await http.request<{ policy: { version: number } }>('POST', '/v1/policies', { body: { text } });
const { report } = await http.request<{ report: { total: number; passed: boolean } }>('POST', `/v1/policies/${policy.version}/test`);
console.log(`policy ${policy.version}: ${report.total} tests ${report.passed ? 'passed' : 'ran, and some failed'}`);
await http.request('POST', `/v1/policies/${policy.version}/activate`, { body: {} });

await http.push.subscribe({ scopeKind: 'case', scopeRef: 'case-7' });
const stop = new AbortController();
const inbox = http.inbox.stream({ lastEventId: await http.inbox.position(), signal: stop.signal });

const plexus = await connectPlexus({ servers: nats, tenant: 'default', source: 'demo', credentials: demo() });
const id = String(Date.now());
const publish = (name: string, severity: 'medium' | 'critical', summary: string) =>
  plexus.publish('progress', { id: `${name}-${id}`, key: 'case-7', severity, data: { summary, caseId: 'case-7' } });
await publish('half', 'medium', 'half of it is done');
await publish('fire', 'critical', 'the source is on fire');

// The critical one is in the inbox at once; the other one waits for its digest.
for await (const { event, data } of inbox) {
  if (event !== 'inbox.item' || !data.includes(`fire-${id}`)) continue;
  console.log(`inbox: ${JSON.parse(data).title}`);
  break;
}
stop.abort();
for (const name of ['fire', 'half']) {
  const { outcome, sentence } = await http.push.explain(`${name}-${id}`, undefined);
  console.log(`${name}: ${outcome}. ${sentence}`);
}

await http.request('POST', '/v1/policies/rollback', { body: {} });
await plexus.close();
