import { TenantConfig, type TenantConfigInput } from '@plexus/agent-config';
import { MCP_ENVIRONMENT_PURPOSE, type McpServerEntry, openBox, StartSessionData } from '@plexus/vm-protocol';
import { configuredValues } from '../adapters/configured-values.js';
import { skillIndex } from '../domain/session-offer.js';
import type { SkillSummary } from '../domain/skill-manifest.js';
import { SessionSettings } from './session-settings.js';

const KEY = { vmId: 'vm-1', epoch: 4 };
const SECRET = 'value-of-the-files-key';
const CONFIG: TenantConfigInput = {
  agents: {
    defaults: { temperature: 0.3 },
    list: [
      { id: 'main', maxTokens: 900, maxTurns: 7, skills: ['greet'], tools: { deny: ['exec'] } },
      { id: 'claw', runtime: 'openclaw' },
    ],
  },
  mcp: {
    servers: {
      files: { command: 'mcp-files', args: ['/data'], env: { LEVEL: 'info', KEY: { env: 'FILES_KEY' }, BOTH: 'user:${FILES_KEY}' }, startTimeoutMs: 5_000 },
      lost: { command: 'x', env: { KEY: '${NOT_THERE}' } },
      mesh: { command: 'x', env: { KEY: '${PLEXUS_MASTER_KEY}' } },
      tickets: { url: 'https://tickets.example/mcp', headers: { authorization: 'Bearer ${FILES_KEY}' }, timeoutMs: 9_000 },
    },
  },
};

const skill = (id: string): SkillSummary => ({
  id,
  name: id,
  description: `Does ${id}.`,
  version: '1.0.0',
  source: 'tenant',
  hash: 'h',
  bytes: 1,
  files: 1,
  inventory: { has_skill_md: true, has_scripts: false, has_references: false, script_files: [], reference_files: [] },
  requires: { binaries: ['sh'], env_vars: [] },
});

const settings = (config = TenantConfig.parse(CONFIG)): SessionSettings =>
  new SessionSettings({
    configOf: () => config,
    skillsOf: async () => [skill('greet'), skill('other')],
    resolveValues: configuredValues(() => config, { env: { FILES_KEY: SECRET, PLEXUS_MASTER_KEY: 'never' }, folders: [], forbidden: [] }),
    bootstrapSecrets: ({ vmId, epoch }) => [`${vmId}-${epoch}-current`, `${vmId}-${epoch}-previous`],
  });

const started = (agentId = 'main') => ({
  type: 'start_session',
  data: {
    session_id: 's1',
    agent_id: agentId,
    runtime_type: 'semigraph',
    agent_config: { model: 'm' },
    session_config: { timeout_seconds: 60 },
    skill_index: [],
    mcp_servers: [],
  },
});

describe('a session that begins in a VM', () => {
  it('is told its settings, its skills and its MCP servers as they are configured now', async () => {
    const frame = await settings().attach(KEY, 'acme', started(), true);
    const data = StartSessionData.parse(frame.data);
    expect(data).toMatchObject({
      runtime_type: 'semigraph',
      agent_config: { model: 'm', temperature: 0.3, max_tokens: 900, tools: [{ allow: [], deny: ['exec'] }] },
      session_config: { timeout_seconds: 60, max_turns: 7 },
      skill_index: [
        {
          id: 'greet',
          description: 'Does greet.',
          version: '1.0.0',
          source: 'tenant',
          hash: 'h',
          file_inventory: { has_skill_md: true, has_scripts: false },
          requires: { binaries: ['sh'], env_vars: [] },
        },
      ],
    });
    expect(data.skill_index).toHaveLength(1);
    expect(data.mcp_servers).toEqual([
      {
        name: 'files',
        transport: 'stdio',
        command: 'mcp-files',
        args: ['/data'],
        env: { LEVEL: 'info' },
        start_timeout_ms: 5_000,
        sealed_env: expect.any(Array),
      },
      expect.objectContaining({ name: 'lost', fault: expect.stringContaining('mcp.servers.lost.env.KEY: a variable of NOT_THERE is not set') }),
      expect.objectContaining({ name: 'mesh', fault: expect.stringContaining('PLEXUS_MASTER_KEY belongs to Plexus itself') }),
      { name: 'tickets', transport: 'remote', args: [], env: {}, timeout_ms: 9_000 },
    ]);
  });

  it('gets secrets of its servers sealed for that incarnation, session and server only', async () => {
    const frame = await settings().attach(KEY, 'acme', started(), true);
    expect(JSON.stringify(frame)).not.toContain(SECRET);
    const [files] = (frame.data as { mcp_servers: McpServerEntry[] }).mcp_servers;
    const open = (secret: string, box: number, more: object = {}) => {
      const sealed = files?.sealed_env?.[box];
      return sealed && openBox(secret, { ...KEY, purpose: MCP_ENVIRONMENT_PURPOSE, name: 's1/files', ...more }, sealed);
    };
    expect(JSON.parse(open('vm-1-4-current', 0) ?? '')).toEqual({ KEY: SECRET, BOTH: `user:${SECRET}` });
    expect(JSON.parse(open('vm-1-4-previous', 1) ?? '')).toEqual({ KEY: SECRET, BOTH: `user:${SECRET}` });
    expect([open('vm-1-4-current', 0, { name: 's2/files' }), open('vm-1-4-current', 0, { epoch: 5 }), open('vm-1-5-current', 0)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('of a runtime of somebody else gets no secret at all', async () => {
    const frame = await settings().attach(KEY, 'acme', started(), false);
    const [files] = (frame.data as { mcp_servers: McpServerEntry[] }).mcp_servers;
    expect(files).toMatchObject({ name: 'files', fault: expect.stringContaining('somebody else') });
    expect(files?.sealed_env).toBeUndefined();
  });

  it('runs in what its agent is configured for', async () => {
    expect((await settings().attach(KEY, 'acme', started('claw'), true)).data).toMatchObject({
      runtime_type: 'openclaw',
      skill_index: [{ id: 'greet' }, { id: 'other' }],
    });
  });
});

describe('a change for a running session', () => {
  it('brings the lists that it names, and nothing else of the mesh', async () => {
    const frame = {
      type: 'config_update',
      refresh: ['skill_index', 'mcp_servers'],
      agent_id: 'main',
      config_revision: 7,
      data: { session_id: 's1', agent_config: {} },
    };
    const filled = await settings().attach(KEY, 'acme', frame, true);
    expect(Object.keys(filled)).toEqual(['type', 'config_revision', 'data']);
    expect(filled.data).toMatchObject({
      skill_index: [{ id: 'greet' }],
      mcp_servers: [{ name: 'files' }, { name: 'lost' }, { name: 'mesh' }, { name: 'tickets' }],
    });
    const plain = { type: 'config_update', config_revision: 7, data: { session_id: 's1', agent_config: { model: 'x' } } };
    expect(await settings().attach(KEY, 'acme', plain, true)).toBe(plain);
    const other = { type: 'cancel', data: {} };
    expect(await settings().attach(KEY, 'acme', other, true)).toBe(other);
  });
});

describe('the skills that a session is told of', () => {
  it('fit their frame, however many files they name', () => {
    const scripts = Array.from({ length: 200 }, (_, index) => `scripts/${'long-'.repeat(10)}${index}.sh`);
    const large = Array.from({ length: 60 }, (_, index) => ({
      ...skill(`skill-${index}`),
      inventory: { has_skill_md: true, has_scripts: true, has_references: false, script_files: scripts, reference_files: [] },
    }));
    const index = skillIndex(large, TenantConfig.parse({}), 'main');
    expect(index.length).toBeGreaterThan(0);
    expect(JSON.stringify(index).length).toBeLessThanOrEqual(131_072 + index.length + 2);
    expect(index[0]?.file_inventory.script_files).toEqual(scripts);
  });
});
