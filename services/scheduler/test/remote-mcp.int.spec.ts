import { BUCKETS, mcpContracts, type Principal, SCOPES } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { sdkConnector } from '../src/adapters/mcp/sdk-client.js';
import type { RemoteMcpClient } from '../src/application/remote-mcp.js';
import { type McpHttpServer, startMcpHttpServer } from './support/mcp-http-server.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const TOKEN = 'tickets-token-5c1d9a';
const { callMcpTool, listMcpTools } = mcpContracts;

describe('a remote MCP server', () => {
  let server: McpHttpServer;
  let clients: RemoteMcpClient[];
  const limits = (timeoutMs = 30_000, signal = new AbortController().signal) => ({ timeoutMs, signal });
  const connect = async (more: { url?: string; allowPrivate?: boolean } = {}): Promise<RemoteMcpClient> => {
    const open = sdkConnector({ allowPrivate: more.allowPrivate ?? true, maxResultBytes: 65_536, maxSockets: 4 });
    const client = await open({ url: more.url ?? server.url, headers: { authorization: `Bearer ${TOKEN}` } }, limits());
    clients.push(client);
    return client;
  };

  beforeEach(async () => {
    clients = [];
    server = await startMcpHttpServer();
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await server.stop();
  });

  it('lists its tools and answers calls, asked with the credentials of the tenant, which do not come back', async () => {
    const client = await connect();
    const tools = await client.tools(limits());
    expect(tools.map(({ name }) => name)).toEqual(['add', 'whoami', 'large', 'wait', 'fail']);
    expect(tools[0]).toMatchObject({ description: 'Adds.', inputSchema: { type: 'object', required: ['a', 'b'] } });
    expect(await client.call('add', { a: 2, b: 3 }, limits())).toEqual({ content: [{ type: 'text', text: '5' }] });
    expect(await client.call('fail', {}, limits())).toMatchObject({ isError: true });
    expect(await client.call('whoami', {}, limits())).toEqual({ content: [{ type: 'text', text: '***' }] });
    expect(server.seen.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  it('may answer with so much, in so much time, and not after the caller gave up', async () => {
    const large = await connect();
    await expect(large.call('large', {}, limits())).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    const client = await connect();
    await expect(client.call('wait', {}, limits(300))).rejects.toMatchObject({ code: 'TIMEOUT' });
    const stop = new AbortController();
    const waiting = client.call('wait', {}, limits(30_000, stop.signal));
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await client.call('add', { a: 1, b: 1 }, limits())).toMatchObject({ content: [{ text: '2' }] });
  });

  it('is not reached at a private address unless the platform allows it, by number or by name', async () => {
    const port = new URL(server.url).port;
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]']) {
      await expect(connect({ url: `http://${host}:${port}/mcp`, allowPrivate: false })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(server.seen).toEqual([]);
  });

  it('that sends elsewhere is not followed, and the other host sees no credentials', async () => {
    const other = await startMcpHttpServer();
    try {
      server.instead = (_request, response) => response.writeHead(307, { location: other.url.replace('127.0.0.1', 'localhost') }).end();
      await expect(connect()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(other.seen).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  it.each([
    [500, 'UNAVAILABLE', /HTTP 500/],
    [401, 'UNAVAILABLE', /refuses the credentials/],
  ])('that answers with HTTP %i is told about without its words', async (status, code, message) => {
    server.instead = (request, response) => response.writeHead(status).end(`you sent ${request.headers.authorization}`);
    const failure = await connect().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(JSON.stringify(failure) + String((failure as Error).stack) + String((failure as Error).cause)).not.toContain(TOKEN);
  });

  it('that refuses to begin leaves no socket behind', async () => {
    server.instead = (_request, response) => response.writeHead(401).end('no');
    await expect(connect()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await waitFor(async () => (await server.sockets()) === 0, { what: 'the end of the socket', timeoutMs: 60_000 });
  });

  it('that is not there is unavailable', async () => {
    await server.stop();
    await expect(connect()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    server = await startMcpHttpServer();
  });
});

describe('remote MCP servers of a tenant', () => {
  let mesh: SchedulerMesh;
  let server: McpHttpServer;
  const asVm = async (principal: Partial<Principal>, data: Parameters<typeof mesh.asUser<typeof callMcpTool>>[2]) =>
    mesh.as({ tenant: TENANT, user: 'ada', role: 'vm', scopes: [SCOPES.read, SCOPES.write], credentialId: 'vm-1:1', ...principal }, callMcpTool, data);

  beforeAll(async () => {
    server = await startMcpHttpServer();
    mesh = await SchedulerMesh.start();
    await (await mesh.bus.kv(BUCKETS.config)).put(TENANT, {
      agents: { list: [{ id: 'main' }, { id: 'ops' }] },
      mcp: { servers: { tickets: { url: server.url, headers: { authorization: 'Bearer ${TICKETS_TOKEN}' }, agents: ['ops'] } } },
    });
    await mesh.scheduler({ MCP_ALLOW_PRIVATE_ADDRESSES: '1', TICKETS_TOKEN: TOKEN });
    const [vm] = await mesh.rows<{ id: string }>(
      `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, observed_generation, next_action_at) VALUES ('vm-1', $1, 'ada', 'user', 'terminated', 1, NULL) RETURNING id`,
      [TENANT],
    );
    for (const [session, agent] of [
      ['s-ops', 'ops'],
      ['s-main', 'main'],
    ]) {
      await mesh.rows(`INSERT INTO vm_sessions (tenant_id, session_id, vm_id, session_key, owner, agent_id, epoch) VALUES ($1, $2, $3, 'k', 'ada', $4, 1)`, [
        TENANT,
        session,
        vm?.id,
        agent,
      ]);
    }
  }, 120_000);
  afterAll(async () => {
    await mesh.stop();
    await server.stop();
  });

  it('are asked by VMs for the agents that may use them, with references resolved in the scheduler', async () => {
    expect(await asVm({}, { server: 'tickets', tool: 'add', arguments: { a: 20, b: 22 }, sessionId: 's-ops' })).toEqual({
      result: { content: [{ type: 'text', text: '42' }] },
    });
    const { result } = await asVm({}, { server: 'tickets', tool: 'tools/list', sessionId: 's-ops' });
    expect((result.tools as { name: string }[]).map(({ name }) => name)).toContain('add');
    expect(server.seen.at(-1)?.authorization).toBe(`Bearer ${TOKEN}`);
  });

  it('are refused to other agents, other users, other VMs, and VMs that name no session', async () => {
    const call = { server: 'tickets', tool: 'add', arguments: { a: 1, b: 1 } };
    await expect(asVm({}, { ...call, sessionId: 's-main' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(asVm({ user: 'bob' }, { ...call, sessionId: 's-ops' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(asVm({ credentialId: 'vm-2:1' }, { ...call, sessionId: 's-ops' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(asVm({}, call)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(mesh.asUser('ada', callMcpTool, call, [SCOPES.read])).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.asUser('ada', callMcpTool, call, [SCOPES.write])).rejects.toMatchObject({ code: 'MISSING_SCOPE', details: { scope: SCOPES.admin } });
    await expect(mesh.asUser('bob', callMcpTool, { ...call, sessionId: 's-ops' }, [SCOPES.write])).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(mesh.asUser('ada', callMcpTool, { ...call, sessionId: 's-main' }, [SCOPES.write])).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const two = { result: { content: [{ type: 'text', text: '2' }] } };
    expect(await mesh.asUser('ada', callMcpTool, { ...call, sessionId: 's-ops' }, [SCOPES.write])).toEqual(two);
    expect(await mesh.asOperator('op', callMcpTool, call)).toEqual(two);
    await expect(mesh.asUser('ada', listMcpTools, { server: 'none' }, [SCOPES.read])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await mesh.asUser('ada', listMcpTools, { server: 'tickets' }, [SCOPES.read])).tools).toHaveLength(5);
  });
});
