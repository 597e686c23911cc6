// Two tenants on one mesh: what one does, the other neither sees nor can ask for.
//   node examples/08-two-tenants/tenants.ts
// It adds tenants `north` and `south` to the platform document, each with a signing key of its own, and takes them away again at the end.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PlexusHttp } from '@plexus/sdk/http';
import { addresses, stateDir } from '../mesh.mjs';

const plexus = (...args: string[]): string =>
  execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../../libs/cli/bin/plexus.mjs'), '--state', stateDir, ...args], { encoding: 'utf8' });

const folder = mkdtempSync(path.join(tmpdir(), 'tenants-'));
const apply = (document: object): void => {
  const file = path.join(folder, 'platform.json5');
  writeFileSync(file, JSON.stringify(document), { mode: 0o600 });
  plexus('platform', 'apply', file);
};

/** A tenant signs the tokens of its users itself; the mesh knows only the public half of its key. */
function tenant(name: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const kid = `${name}-1`;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    declaration: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA' }] },
    token: (user: string): string => {
      const exp = Math.floor(Date.now() / 1_000) + 600;
      const head = `${part({ alg: 'EdDSA', kid })}.${part({ tenant: name, sub: user, exp, jti: randomUUID(), scopes: ['operator.read', 'operator.write'] })}`;
      return `${head}.${sign(null, Buffer.from(head), privateKey).toString('base64url')}`;
    },
  };
}

const { document: before } = JSON.parse(plexus('--json', 'platform', 'show')) as { document: { tenants: Record<string, object> } };
const [north, south] = [tenant('north'), tenant('south')];
try {
  apply({ ...before, tenants: { ...before.tenants, north: north.declaration, south: south.declaration } });
  const at = (bearer: string) => new PlexusHttp({ baseUrl: addresses().gateway.http, token: bearer, attempts: 8 });
  const [anna, bo] = [at(north.token('anna')), at(south.token('bo'))];

  // The gateway hears of new tenants a moment later.
  for (let tries = 0; ; tries += 1) {
    try {
      await Promise.all([anna.sessions.list(), bo.sessions.list()]);
      break;
    } catch (error) {
      if (tries === 600) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const { id } = await anna.memory.write({ content: 'The north keeps its heron in a cage.', kind: 'fact' });
  const found = async (who: PlexusHttp) => (await who.memory.search('heron cage')).hits.length;
  console.log(`north finds ${await found(anna)}, south finds ${await found(bo)}`);
  const refused = await bo.request('GET', `/v1/memory/${id}`).catch((error: { code: string }) => error.code);
  console.log(`south asks for its id: ${refused}`);
} finally {
  apply(before);
  rmSync(folder, { recursive: true, force: true });
}
