// Something is remembered, and found again: by words at once, by meaning as soon as its vectors are there (where a model is set).
//   node examples/05-memory/memory.ts
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, token } from '../mesh.mjs';

const http = new PlexusHttp({ baseUrl: addresses().gateway.http, token: token() });
const facts = ['Deploys happen on Tuesdays, never on Fridays.', '用户偏好使用PostgreSQL数据库', 'The staging cluster is called heron.'];
for (const content of facts) {
  const { id, result } = await http.memory.write({ content, kind: 'fact' });
  console.log(`${result}  ${id}`);
}

for (const question of ['when do deploys happen', 'PostgreSQL数据库', 'heron cluster']) {
  const { hits, mode } = await http.memory.search(question, { k: 1, explain: true });
  const [best] = hits;
  // The score belongs to the pair of question and memory and means the same whatever else is stored.
  console.log(`${question} → ${best === undefined ? 'nothing' : `${best.content} (${best.score.toFixed(2)}, ${mode})`}`);
}
