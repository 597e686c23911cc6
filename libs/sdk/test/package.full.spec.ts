import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jest } from '@jest/globals';
import { statePaths } from '@plexus/local-stack';
import { repositoryRoot, startTestMesh, type TestMesh, throwAwayFolder } from '@plexus/testing';

const PROGRAM = `
import { connectPlexus } from '@plexus/sdk';
import { PlexusHttp } from '@plexus/sdk/http';
import { GatewayClient } from '@plexus/sdk/gateway';
import { pushContracts, routingContracts } from '@plexus/sdk/contracts';

const { NATS, DEMO_PASSWORD, HTTP, WS, TOKEN, USER_TOKEN } = process.env as Record<string, string>;
const http = new PlexusHttp({ baseUrl: HTTP, token: () => TOKEN });
await http.push.subscribe({ scopeKind: 'case', scopeRef: 'case-7' });
const stop = new AbortController();
const lastEventId = await http.inbox.position();
const arrived = (async () => {
  for await (const { event, data } of http.inbox.stream({ lastEventId, signal: stop.signal })) {
    if (event === 'inbox.item' && data.includes('4,212 rows')) return data;
  }
  return '';
})();

const plexus = await connectPlexus({ servers: NATS, tenant: 'default', source: 'demo', credentials: { user: 'demo', pass: DEMO_PASSWORD }, token: USER_TOKEN });
const stored = await plexus.publish('import-finished', { id: 'run-7', key: 'case-7', data: { summary: '4,212 rows imported', caseId: 'case-7' } });
const again = await plexus.publish('import-finished', { id: 'run-7', key: 'case-7', data: { summary: '4,212 rows imported', caseId: 'case-7' } });
const item = await arrived;
stop.abort();
const { agents } = await plexus.call(routingContracts.listAgents, {});
const explained = await http.push.explain('run-7', undefined);
await plexus.close();

const file = { fileName: 'notes.txt', content: Buffer.from('The fountain opens at nine.').toString('base64') };
await http.chat.send({ sessionKey: 'agent:main:files', message: 'When does it open?', attachments: [file] });
const { messages } = await http.sessions.history('agent:main:files');
const files = messages.flatMap(({ attachments = [] }) => attachments.map(({ name }) => name));

const gateway = new GatewayClient({ url: WS, token: TOKEN });
await gateway.connect({ timeoutMs: 90_000 });
const health: unknown = await gateway.request('health');
gateway.close();
const refused = await new PlexusHttp({ baseUrl: HTTP, token: 'wrong' }).vms.list().catch((error: { code: string }) => error.code);
const wanted: string = pushContracts.delivered.type;
console.log(JSON.stringify({ stored, again, item: item !== '', agents: agents.length, explained: explained !== undefined, files, health: health !== undefined, refused, wanted }));
`;

const root = repositoryRoot();

const run = (cwd: string, command: string, args: readonly string[], env: Record<string, string> = {}) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env }, timeout: 300_000 });
  return { ok: status === 0, output: `${stdout}${stderr}`, stdout };
};

// Packing, installing and compiling on a busy machine.
jest.setTimeout(480_000);

describe('the package, as a stranger installs it', () => {
  const folder = throwAwayFolder('sdk');
  const at = path.join(folder.path, 'stranger');
  let mesh: TestMesh;

  beforeAll(async () => {
    const sdk = path.join(root, 'libs/sdk');
    const packed = run(sdk, process.execPath, ['pack.mjs', folder.path]);
    if (!packed.ok) throw new Error(packed.output);
    mkdirSync(at);
    writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name: 'stranger', version: '1.0.0', private: true, type: 'module' }));
    const installed = run(at, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', packed.stdout.trim()]);
    if (!installed.ok) throw new Error(installed.output);
    mesh = await startTestMesh();
  });

  afterAll(async () => {
    await mesh?.stop();
    folder.remove();
  });

  it('compiles against its types with nothing of the workspace in reach', () => {
    writeFileSync(path.join(at, 'program.ts'), PROGRAM);
    const options = {
      strict: true,
      target: 'es2023',
      module: 'nodenext',
      lib: ['es2023', 'dom', 'dom.iterable'],
      types: ['node'],
      typeRoots: [path.join(root, 'node_modules/@types')],
    };
    writeFileSync(path.join(at, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['program.ts'] }));
    expect(run(at, process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'])).toMatchObject({ ok: true });
  });

  it('publishes, is told, calls and explains against a running mesh', async () => {
    const cli = path.join(root, 'libs/cli/bin/plexus.mjs');
    const minted = run(at, process.execPath, [cli, '--state', mesh.stateDir, 'token', 'mint', '--user', 'me']);
    const done = run(at, process.execPath, ['program.js'], {
      NATS: mesh.nats,
      DEMO_PASSWORD: readFileSync(statePaths(mesh.stateDir).integratorPassword, 'utf8').trim(),
      HTTP: mesh.gateway.http,
      WS: mesh.gateway.ws,
      TOKEN: mesh.token,
      USER_TOKEN: minted.stdout.trim(),
    });
    expect(done).toMatchObject({ ok: true });
    expect(JSON.parse(done.stdout)).toMatchObject({
      stored: { id: 'run-7', duplicate: false },
      again: { id: 'run-7', duplicate: true },
      item: true,
      agents: 1,
      explained: true,
      files: ['notes.txt'],
      health: true,
      refused: 'UNAUTHENTICATED',
      wanted: 'dev.plexus.push.delivered.v1',
    });
  });

  it('has a side for browsers that needs nothing of Node', () => {
    const builtins = run(at, process.execPath, [
      '-e',
      `
      const fs = require('node:fs'); const path = require('node:path'); const root = 'node_modules/@plexus/sdk'; const seen = new Set(); const found = [];
      const visit = (file) => { if (seen.has(file)) return; seen.add(file); for (const [, id] of fs.readFileSync(file, 'utf8').matchAll(/(?:from|import)\\s*["']([^"']+)["']/g)) { if (id.startsWith('.')) visit(path.join(path.dirname(file), id)); else found.push(id); } };
      visit(root + '/http.js'); visit(root + '/gateway.js'); console.log(JSON.stringify([...new Set(found)]));`,
    ]);
    expect(JSON.parse(builtins.stdout)).toEqual(['zod']);
  });
});
