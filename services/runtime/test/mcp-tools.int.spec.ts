import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PlexusError, systemClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { MCP_ENVIRONMENT_PURPOSE, sealBox, StartSessionData } from '@plexus/vm-protocol';
import { McpTools } from '../src/adapters/mcp/mcp-tools.js';
import type { Tool, ToolContext, ToolResult } from '../src/application/ports.js';
import type { FenceStage } from '../src/domain/fence.js';

const PROGRAM = path.join(path.dirname(fileURLToPath(import.meta.url)), 'fixtures/mcp-server.mjs');
const INCARNATION = { vmId: 'vm-1', epoch: 3, bootstrapSecret: 'bootstrap-secret-of-this-test' };

/** A shell starts the program, and says where it is. */
const OF_THE_SHELL = ['PWD', 'OLDPWD', 'SHLVL', '_'];

const sealedEnv = (value: object, session = 's1') => [
  sealBox(INCARNATION.bootstrapSecret, { vmId: 'vm-1', epoch: 3, purpose: MCP_ENVIRONMENT_PURPOSE, name: `${session}/local` }, JSON.stringify(value)),
];
const local = (more: Record<string, unknown> = {}) => ({
  ...{ name: 'local', transport: 'stdio', command: process.execPath, args: [PROGRAM], start_timeout_ms: 120_000 },
  ...more,
});
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // One that nobody has waited for yet is dead all the same.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === false;
  } catch {
    return false;
  }
};

describe('MCP servers of a session', () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'plexus-mcp-')));
  const logged: { readonly message: string; readonly fields: Record<string, unknown> | undefined }[] = [];
  let requests: unknown[];
  let answer: (tool: string) => unknown;
  let mcp: McpTools;
  let stage: FenceStage;
  let stuckAfterMs: number;

  beforeEach(() => {
    requests = [];
    logged.length = 0;
    stage = 'open';
    stuckAfterMs = 60_000;
    answer = () => ({ result: { tools: [] } });
    mcp = new McpTools({
      mesh: {
        request: async (session, method, params) => {
          requests.push([session, method, params]);
          return answer(String(params.tool));
        },
        tell: async () => undefined,
      },
      incarnation: INCARNATION,
      workspaceOf: () => folder,
      variables: { PATH: process.env.PATH, HOME: folder, NOT_FOR_SERVERS: 'secret-of-the-vm' },
      fenceStage: () => stage,
      get stuckAfterMs() {
        return stuckAfterMs;
      },
      clock: systemClock,
      log: (_level, message, fields) => void logged.push({ message, fields }),
    });
  });
  afterEach(() => mcp.close());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const session = (servers: object[], id = 's1'): StartSessionData => StartSessionData.parse({ session_id: id, agent_id: 'main', mcp_servers: servers });
  const call = async (tools: readonly Tool[], name: string, input: unknown = {}, signal = new AbortController().signal): Promise<ToolResult> => {
    const tool = tools.find((one) => one.name === name);
    if (tool === undefined) throw new Error(`no tool ${name} among ${tools.map((one) => one.name).join(', ')}`);
    const context: ToolContext = { sessionId: 's1', runId: 'r1', workspace: folder, signal, onProcess: () => undefined };
    return tool.run(input, context);
  };

  it('run as programs of the VM, see the configured variables and nothing else, and offer their tools as server__tool', async () => {
    const tools = await mcp.tools(session([local({ env: { PLAIN: 'one' }, sealed_env: sealedEnv({ API_KEY: 'two' }) })]));
    expect(tools.map(({ name }) => name)).toEqual(['block', 'die', 'echo', 'env', 'fail', 'wait', 'where'].map((tool) => `local__${tool}`));
    expect(tools.find(({ name }) => name === 'local__echo')).toMatchObject({
      description: 'Says it again.',
      inputSchema: { type: 'object', required: ['text'] },
    });
    expect(await call(tools, 'local__echo', { text: 'hello' })).toEqual({ content: 'hello' });
    expect(await call(tools, 'local__fail')).toEqual({ content: 'it broke', isError: true });
    expect(await call(tools, 'local__echo', 'rubbish')).toMatchObject({ isError: true });
    const env = JSON.parse((await call(tools, 'local__env')).content) as Record<string, string>;
    expect(env).toMatchObject({ PLAIN: 'one', API_KEY: 'two', HOME: folder });
    expect(Object.keys(env).filter((name) => !['PATH', 'HOME', 'PLAIN', 'API_KEY', ...OF_THE_SHELL].includes(name))).toEqual([]);
    expect(JSON.parse((await call(tools, 'local__where')).content)).toMatchObject({ cwd: folder });
    expect(JSON.stringify(logged)).not.toContain('two');
  });

  it('end with their session, and so does whatever they started', async () => {
    const file = path.join(folder, 'child.pid');
    const tools = await mcp.tools(session([local({ env: { MCP_TEST_CHILD: file } })]));
    const { pid } = JSON.parse((await call(tools, 'local__where')).content) as { pid: number };
    const child = Number(readFileSync(file, 'utf8'));
    expect([isAlive(pid), isAlive(child)]).toEqual([true, true]);
    await mcp.endSession('s1');
    await waitFor(() => !isAlive(pid) && !isAlive(child), { timeoutMs: 60_000, what: 'the server and its child are gone' });
    expect(await call(tools, 'local__echo', { text: 'x' })).toMatchObject({ isError: true });
  });

  it('end with their session also while they start, however long that may take', async () => {
    const file = path.join(folder, 'slow.pid');
    const slow = { name: 'slow', transport: 'stdio', command: '/bin/sh', args: ['-c', `echo $$ > ${file}; exec sleep 1000`], start_timeout_ms: 120_000 };
    const listing = mcp.tools(session([slow]));
    await waitFor(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), { timeoutMs: 60_000, what: 'the program' });
    const ended = mcp.endSession('s1').then(() => 'ended');
    expect([await ended, await listing]).toEqual(['ended', []]);
    expect(isAlive(Number(readFileSync(file, 'utf8')))).toBe(false);
    expect(logged.flatMap(({ fields }) => (fields?.why === undefined ? [] : [fields.why]))).not.toContain('it did not answer in time');
  });

  it('are started again after they ended; a call waits for that, and the model is told of the one that failed', async () => {
    const tools = await mcp.tools(session([local()]));
    expect(await call(tools, 'local__die')).toMatchObject({ isError: true, content: expect.stringContaining('local') });
    expect(await call(tools, 'local__echo', { text: 'again' })).toEqual({ content: 'again' });
    expect(logged.map(({ message }) => message)).toContain('MCP server is away');
  });

  it('are left out, with the reason in the log, when they do not start, are not configured right or cannot be opened', async () => {
    const servers = [
      local({ env: { MCP_TEST_FAIL: '1' } }),
      { name: 'absent', transport: 'stdio', command: '/no/such/program' },
      { name: 'faulty', transport: 'stdio', command: 'x', fault: 'the variable TOKEN is not set' },
      { name: 'foreign', transport: 'stdio', command: 'x', sealed_env: sealedEnv({ A: 'b' }) },
      { name: 'BAD NAME', transport: 'stdio' },
    ];
    expect(await mcp.tools(session(servers))).toEqual([]);
    const why = Object.fromEntries(logged.flatMap(({ fields }) => (fields?.why === undefined ? [] : [[fields.server, fields.why]])));
    expect(why).toEqual({
      local: expect.stringContaining('exit code 3'),
      absent: 'there is no such program (exit code 127)',
      faulty: 'the variable TOKEN is not set',
      foreign: 'its variables cannot be opened by this machine',
    });
  });

  it('are made anew when their settings or secrets change, and only then', async () => {
    const pidOf = async (tools: readonly Tool[]): Promise<number> => (JSON.parse((await call(tools, 'local__where')).content) as { pid: number }).pid;
    const first = await pidOf(await mcp.tools(session([local({ sealed_env: sealedEnv({ A: '1' }) })])));
    expect(await pidOf(await mcp.tools(session([local({ sealed_env: sealedEnv({ A: '1' }) })])))).toBe(first);
    const tools = await mcp.tools(session([local({ sealed_env: sealedEnv({ A: '2' }) })]));
    expect(await pidOf(tools)).not.toBe(first);
    expect(isAlive(first)).toBe(false);
    expect(await mcp.tools(session([]))).toEqual([]);
  });

  it('stop waiting for an answer when the run is cancelled, and go on to serve', async () => {
    const tools = await mcp.tools(session([local()]));
    const stop = new AbortController();
    const waiting = call(tools, 'local__wait', {}, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(await call(tools, 'local__echo', { text: 'still here' })).toEqual({ content: 'still here' });
  });

  it('are ended when they do not let go of a call that was given up, and started again with the next', async () => {
    stuckAfterMs = 200;
    const tools = await mcp.tools(session([local()]));
    const file = path.join(folder, 'blocked.pid');
    const stop = new AbortController();
    const blocked = call(tools, 'local__block', { file }, stop.signal);
    const pid = Number(await waitFor(() => existsSync(file) && readFileSync(file, 'utf8'), { timeoutMs: 60_000, what: 'the program to hear nothing' }));
    stop.abort();
    await expect(blocked).rejects.toMatchObject({ name: 'AbortError' });
    await waitFor(() => !isAlive(pid), { timeoutMs: 60_000, what: 'the program is gone' });
    expect(logged.map(({ message }) => message)).toContain('MCP server ended: it did not let go of a call that was given up');
    expect(await call(tools, 'local__echo', { text: 'again' })).toEqual({ content: 'again' });
  });

  it('are not ended when they answer at all, though they refuse to be asked whether they live', async () => {
    const refused = path.join(folder, 'refused');
    const tools = await mcp.tools(session([local({ env: { MCP_TEST_NO_PING: refused } })]));
    const where = async (): Promise<unknown> => (JSON.parse(String((await call(tools, 'local__where')).content)) as { pid: number }).pid;
    const pid = await where();
    const stop = new AbortController();
    const waiting = call(tools, 'local__wait', {}, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await waitFor(() => existsSync(refused), { timeoutMs: 60_000, what: 'the program to refuse' });
    expect([await where(), await where()]).toEqual([pid, pid]);
    expect(logged.map(({ message }) => message)).not.toContain('MCP server ended: it did not let go of a call that was given up');
  });

  it('are ended while the mesh is out of reach for too long, whatever they do, and started again afterwards', async () => {
    const file = path.join(folder, 'fenced.pid');
    const tools = await mcp.tools(session([local({ env: { MCP_TEST_CHILD: file } })]));
    const { pid } = JSON.parse((await call(tools, 'local__where')).content) as { pid: number };
    const child = Number(readFileSync(file, 'utf8'));
    const waiting = call(tools, 'local__wait');
    stage = 'no-new-work';
    expect(await call(tools, 'local__echo', { text: 'still' })).toEqual({ content: 'still' });
    stage = 'stop-tools';
    await waitFor(() => !isAlive(pid) && !isAlive(child), { timeoutMs: 60_000, what: 'the server and its child are gone' });
    expect(await waiting).toMatchObject({ isError: true });
    stage = 'open';
    expect(await call(tools, 'local__echo', { text: 'again' })).toEqual({ content: 'again' });
  });

  it('say nothing in the log: what they refuse with may hold a key', async () => {
    expect(await mcp.tools(session([local({ env: { MCP_TEST_REFUSE: 'the key sk-live-12345678 is wrong' } })]))).toEqual([]);
    expect(logged.map(({ message }) => message)).toContain('the tools of an MCP server cannot be had');
    expect(JSON.stringify(logged)).not.toContain('sk-live');
  });

  it('that are remote are asked through the mesh', async () => {
    answer = (tool) => {
      if (tool === 'tools/list') return { result: { tools: [{ name: 'search', description: 'Finds.', inputSchema: { type: 'object' } }] } };
      if (tool === 'search') return { result: { content: [{ type: 'text', text: 'found' }] } };
      throw new Error('unexpected');
    };
    const tools = await mcp.tools(session([{ name: 'tickets', transport: 'remote' }]));
    expect(tools.map(({ name }) => name)).toEqual(['tickets__search']);
    expect(await call(tools, 'tickets__search', { text: 'printer' })).toEqual({ content: 'found' });
    expect(requests).toEqual([
      ['s1', 'mcp_call', { server: 'tickets', tool: 'tools/list', arguments: {} }],
      ['s1', 'mcp_call', { server: 'tickets', tool: 'search', arguments: { text: 'printer' } }],
    ]);
    answer = () => {
      throw new PlexusError({ code: 'UNAVAILABLE', message: 'The server is away.', retryable: true, status: 503 });
    };
    expect(await call(tools, 'tickets__search')).toEqual({ content: 'The MCP server tickets did not answer: The server is away.', isError: true });
    expect(existsSync(folder)).toBe(true);
  });
});
