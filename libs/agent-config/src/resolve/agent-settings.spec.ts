import { TenantConfig, validateTenantConfig } from '../index.js';
import { resolveMcpServers, resolveRunSettings, resolveSkills } from './agent-settings.js';
import { toolRules } from './tool-policy.js';

const config = TenantConfig.parse({
  agents: {
    defaults: { temperature: 0.5, maxTurns: 20, skills: ['log-digest'] },
    list: [{ id: 'main' }, { id: 'ops', temperature: 0, maxTokens: 900, runtime: 'openclaw', skills: [], tools: { deny: ['exec'] } }],
  },
  tools: { allow: ['group:fs', 'files__*'] },
  mcp: {
    servers: {
      tickets: { url: 'https://tickets.example/mcp', headers: { authorization: 'Bearer ${TICKETS_TOKEN}' }, agents: ['ops'] },
      files: { command: 'mcp-files', args: ['/data'], env: { LEVEL: 'info', KEY: { env: 'FILES_KEY' } } },
      off: { command: 'x', enabled: false },
    },
  },
});

describe('settings of an agent', () => {
  it('are its own, else those of all', () => {
    expect(resolveRunSettings(config, 'main')).toEqual({ runtime: 'semigraph', temperature: 0.5, maxTurns: 20 });
    expect(resolveRunSettings(config, 'ops')).toEqual({ runtime: 'openclaw', temperature: 0, maxTokens: 900, maxTurns: 20 });
  });

  it('say which skills it may use: no list is all, an empty one none', () => {
    expect(['log-digest', 'other'].map(resolveSkills(config, 'main'))).toEqual([true, false]);
    expect(['log-digest'].map(resolveSkills(config, 'ops'))).toEqual([false]);
    expect(resolveSkills(TenantConfig.parse({}), 'main')('anything')).toBe(true);
  });

  it('say which MCP servers it may use', () => {
    expect(resolveMcpServers(config, 'main').map(([id]) => id)).toEqual(['files']);
    expect(resolveMcpServers(config, 'ops').map(([id]) => id)).toEqual(['files', 'tickets']);
  });

  it('give its tool rules with their groups expanded, one set after the other', () => {
    expect(toolRules(config, 'ops', { sandboxed: false })).toEqual([
      { allow: ['read', 'write', 'edit', 'list', 'apply_patch', 'files__*'], deny: [] },
      { allow: [], deny: ['exec'] },
    ]);
    expect(toolRules(TenantConfig.parse({}), 'main', { sandboxed: false })).toEqual([]);
  });
});

describe('MCP servers in the configuration', () => {
  const codes = (server: unknown): unknown[] => validateTenantConfig({ mcp: { servers: { one: server } } }).issues.map(({ path, code }) => [path, code]);

  it('have a command or an address, and nothing that does not belong to it', () => {
    expect(codes({ command: 'x' })).toEqual([]);
    expect(codes({ url: 'https://x/mcp' })).toEqual([]);
    expect(codes({})).toHaveLength(1);
    expect(codes({ command: 'x', url: 'https://x' })).not.toEqual([]);
    expect(codes({ url: 'https://x', env: { A: 'b' } })).toEqual([['mcp.servers.one.env', 'misplaced']]);
    expect(codes({ url: 'ftp://x' })).toHaveLength(1);
  });

  it('hold no secrets, only references', () => {
    expect(codes({ url: 'https://x', headers: { authorization: 'Bearer sk-1234567890abcdef' } })).toEqual([
      ['mcp.servers.one.headers.authorization', 'plain_secret'],
    ]);
    expect(codes({ command: 'x', env: { API_KEY: 'abc' } })).toEqual([['mcp.servers.one.env.API_KEY', 'plain_secret']]);
    expect(codes({ command: 'x', env: { API_KEY: '${KEY}', LEVEL: 'info' } })).toEqual([]);
  });

  it('are for agents that exist', () => {
    expect(codes({ command: 'x', agents: ['nobody'] })).toEqual([['mcp.servers.one.agents.0', 'unknown_agent']]);
  });
});
