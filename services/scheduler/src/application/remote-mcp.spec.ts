import { TenantConfig, type TenantConfigInput } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { FakeClock, ok } from '@plexus/kernel';
import { type CallLimits, RemoteMcp, type RemoteMcpAddress, type RemoteMcpClient } from './remote-mcp.js';

const server = (id: string, more: object = {}) => ({ [id]: { url: `https://${id}.example/mcp`, headers: { 'x-client': `of-${id}` }, ...more } });
const CONFIG: TenantConfigInput = {
  agents: { list: [{ id: 'main' }, { id: 'ops' }] },
  mcp: {
    servers: {
      ...server('one', { timeoutMs: 5_000 }),
      ...server('two'),
      ...server('mine', { agents: ['ops'] }),
      local: { command: 'x' },
      ...server('off', { enabled: false }),
    },
  },
};

describe('the pool of remote MCP servers', () => {
  let config: TenantConfig;
  let clock: FakeClock;
  let opened: RemoteMcpAddress[];
  let closed: string[];
  let limits: CallLimits[];
  let answer: () => Promise<Record<string, unknown>>;
  let pool: RemoteMcp;
  const caller = (agentId?: string, tenant = 'acme') => ({ tenant, agentId, signal: new AbortController().signal });
  const call = (name = 'one', agentId?: string, tenant?: string) => pool.call(caller(agentId, tenant), name, 'tool', {}, 60_000);

  beforeEach(() => {
    config = TenantConfig.parse(CONFIG);
    clock = new FakeClock();
    [opened, closed, limits] = [[], [], []];
    answer = async () => ({ content: [] });
    pool = new RemoteMcp({
      configOf: () => config,
      resolveValues: (_tenant, _place, values) => ok(values as Record<string, string>),
      connect: async (address): Promise<RemoteMcpClient> => {
        opened.push(address);
        return {
          tools: async () => [],
          call: async (_tool, _input, its) => {
            limits.push(its);
            return answer();
          },
          close: async () => void closed.push(address.url),
        };
      },
      clock,
      maxConnectionsPerTenant: 2,
      maxCallsPerServer: 2,
      idleMs: 60_000,
    });
  });
  afterEach(() => pool.close());

  it('shares one connection among the calls of a tenant, none among tenants, and closes it when nobody calls', async () => {
    await Promise.all([call(), call()]);
    await call();
    expect(opened).toEqual([{ url: 'https://one.example/mcp', headers: { 'x-client': 'of-one' } }]);
    await call('one', undefined, 'other');
    expect([opened.length, pool.size]).toEqual([2, 2]);
    expect(limits[0]?.timeoutMs).toBe(5_000);
    await clock.advance(59_000);
    await call();
    await clock.advance(59_000);
    expect(pool.size).toBe(1);
    await clock.advance(1_000);
    expect([pool.size, closed.length]).toEqual([0, 2]);
  });

  it('takes so many calls at a time and no more', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = () => held.then(() => ({}));
    const calls = [call(), call()];
    await expect(call()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    release();
    await Promise.all(calls);
    await expect(call()).resolves.toEqual({});
  });

  it('makes room by closing one that is idle, and refuses when all are in use', async () => {
    await call('one');
    await call('two');
    await call('mine');
    expect([pool.size, closed]).toEqual([2, ['https://one.example/mcp']]);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = () => held.then(() => ({}));
    const calls = [call('two'), call('mine')];
    await expect(call('one')).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    release();
    await Promise.all(calls);
  });

  it('lets an agent use the servers that it may, and nobody one that is off, local or not there', async () => {
    await expect(call('mine', 'main')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(call('mine', 'ops')).resolves.toEqual({ content: [] });
    for (const name of ['off', 'local', 'nowhere', 'constructor']) await expect(call(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves a server alone for a while after five failures, tries it once, and goes on when it answers', async () => {
    answer = async () => {
      throw plexusError('UNAVAILABLE', { message: 'away' });
    };
    for (let attempt = 0; attempt < 5; attempt++) await expect(call()).rejects.toMatchObject({ message: 'away' });
    expect(opened).toHaveLength(5);
    await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('left alone') });
    expect(opened).toHaveLength(5);
    await expect(call('two')).rejects.toMatchObject({ message: 'away' });
    answer = async () => ({ fine: true });
    await clock.advance(30_000);
    await expect(call()).resolves.toEqual({ fine: true });
    await expect(call()).resolves.toEqual({ fine: true });
  });

  it('does not count what a server refuses as a failure, and keeps the connection', async () => {
    answer = async () => {
      throw plexusError('INVALID_REQUEST', { message: 'no such tool' });
    };
    for (let attempt = 0; attempt < 8; attempt++) await expect(call()).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    expect(opened).toHaveLength(1);
  });

  it('connects anew behind an answer that was too large: its connection was cut for it', async () => {
    answer = async () => {
      throw plexusError('PAYLOAD_TOO_LARGE', { message: 'too large' });
    };
    for (let attempt = 0; attempt < 6; attempt++) await expect(call()).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    answer = async () => ({ small: true });
    await expect(call()).resolves.toEqual({ small: true });
    expect([opened.length, closed.length, pool.size]).toEqual([7, 6, 1]);
  });

  it('connects anew with a changed credential, and lets calls through the old one end', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = () => held.then(() => ({ old: true }));
    const before = call();
    await clock.advance(0);
    config = TenantConfig.parse({ mcp: { servers: server('one', { headers: { 'x-client': 'rotated' } }) } });
    answer = async () => ({ new: true });
    await expect(call()).resolves.toEqual({ new: true });
    expect([opened[1]?.headers, closed]).toEqual([{ 'x-client': 'rotated' }, []]);
    release();
    await expect(before).resolves.toEqual({ old: true });
    await clock.advance(0);
    expect(closed).toEqual(['https://one.example/mcp']);
  });
});
