import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayClient } from '@plexus/client-protocol';
import { type FakeAnswer, type FakeOpenAi, type FakeRequest, startFakeOpenAi, startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import WebSocket from 'ws';
import { plexus } from './plexus.js';

const SECRET = 'files-key-7d1e-that-nobody-may-see';
const TICKETS = 'tickets-key-2b9c-that-nobody-may-see';
const PROGRAM = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../services/runtime/test/fixtures/mcp-server.mjs');

const call = (id: string, name: string, input: object): FakeAnswer => ({ kind: 'tools', calls: [{ id, name, arguments: JSON.stringify(input) }] });
const SCRIPT: FakeAnswer[] = [
  call('c1', 'skill', { skill: 'log-digest' }),
  call('c2', 'files__env', {}),
  call('c3', 'tickets__find', { text: 'printer' }),
  { kind: 'text', pieces: ['All ', 'done.'] },
];

/** The three requests that a call needs, over plain HTTP. */
function startTickets(): Promise<{ readonly url: string; readonly seen: (string | undefined)[]; stop(): Promise<void> }> {
  const seen: (string | undefined)[] = [];
  const results: Record<string, (parameters: { arguments?: { text?: string } }) => object> = {
    initialize: () => ({ protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'tickets', version: '1' } }),
    'tools/list': () => ({
      tools: [{ name: 'find', description: 'Finds tickets.', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } }],
    }),
    'tools/call': (parameters) => ({ content: [{ type: 'text', text: `ticket 7: the ${parameters.arguments?.text} is on fire` }] }),
  };
  const server = http.createServer(async (request, response) => {
    seen.push(request.headers.authorization);
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { id, method, params } = JSON.parse(body || '{}') as { id?: number; method?: string; params?: { arguments?: { text?: string } } };
    const result = results[method ?? '']?.(params ?? {});
    if (result === undefined) return void response.writeHead(202).end();
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
      const stop = async (): Promise<void> => {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      };
      resolve({ url, seen, stop });
    });
  });
}

describe('an agent with skills and MCP servers from the configuration', () => {
  let mesh: TestMesh;
  let model: FakeOpenAi;
  let tickets: Awaited<ReturnType<typeof startTickets>>;

  beforeAll(async () => {
    [model, tickets] = await Promise.all([startFakeOpenAi(SCRIPT), startTickets()]);
    mesh = await startTestMesh({ env: { FILES_KEY: SECRET, TICKETS_KEY: TICKETS, MCP_ALLOW_PRIVATE_ADDRESSES: '1' } });
  }, 120_000);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([model?.stop(), tickets?.stop()]);
  }, 60_000);

  const set = async (key: string, value: unknown): Promise<void> => {
    const { code, out } = await plexus(['--state', mesh.stateDir, '--json', 'config', 'set', key, JSON.stringify(value)]);
    expect([code, code === 0 ? '' : out]).toEqual([0, '']);
  };

  it('loads a skill into its workspace, calls a program of its VM and a remote server, and no secret is left anywhere', async () => {
    await set('models', { providers: { acme: { baseUrl: model.baseUrl, models: [{ id: 'm' }] } }, default: 'acme/m' });
    await set('mcp.servers.files', { command: process.execPath, args: [PROGRAM], env: { LEVEL: 'info', API_KEY: { env: 'FILES_KEY' } } });
    await set('mcp.servers.tickets', { url: tickets.url, headers: { authorization: `Bearer \${TICKETS_KEY}` } });
    await set('tools', { deny: ['files__die'] });
    await waitFor(async () => (await plexus(['--state', mesh.stateDir, '--json', 'config', 'status'])).code === 0, {
      timeoutMs: 60_000,
      what: 'the change in force',
    });

    const client = new GatewayClient({ url: mesh.gateway.ws, token: mesh.token, createSocket: (url) => new WebSocket(url) as never });
    let said = '';
    try {
      await client.connect({ timeoutMs: 60_000 });
      for await (const piece of client.chatSend({ sessionKey: 'main', message: 'What burns?' })) said += JSON.stringify(piece);
    } finally {
      client.close();
    }
    expect(said).toContain('done.');

    const offered = ((model.requests[0] as FakeRequest).body.tools as { function: { name: string; description: string } }[]).map((tool) => tool.function);
    const names = offered.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['skill', 'files__echo', 'files__env', 'tickets__find']));
    expect(names).not.toContain('files__die');
    expect(offered.find(({ name }) => name === 'skill')?.description).toContain('log-digest: Condenses');
    const results =
      model.requests
        .at(-1)
        ?.messages.filter(({ role }) => role === 'tool')
        .map(({ content }) => JSON.stringify(content)) ?? [];
    expect(results[0]).toContain('# Log digest');
    expect(results[1]).toContain(SECRET);
    expect(results[1]).toContain('LEVEL');
    expect(results[2]).toContain('ticket 7: the printer is on fire');
    expect([...new Set(tickets.seen)]).toEqual([`Bearer ${TICKETS}`]);

    const files = filesBelow(mesh.stateDir);
    const script = files.find((file) => file.endsWith('skills/log-digest/scripts/digest.sh')) as string;
    expect(statSync(script).mode & 0o111).not.toBe(0);
    expect(files.filter((file) => existsSync(file) && readFileSync(file).includes(TICKETS))).toEqual([]);
  }, 180_000);
});

/** Regular files; what vanishes while we look is gone. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}
