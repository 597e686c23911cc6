import fc from 'fast-check';
import { z } from 'zod';
import { type PluginDeclaration, parseTenantConfig, validateTenantConfig } from '../index.js';
import { mutation, validDocument } from '../../test/documents.js';

const found = (document: unknown, options = {}) => validateTenantConfig(document, options).issues.map(({ path, code }) => `${path || '.'} ${code}`);
/** What is legal and doubtful; settings that wait to be acted on have a spec of their own. */
const warned = (document: unknown, options = {}) =>
  validateTenantConfig(document, options)
    .warnings.filter(({ code }) => code !== 'not_acted_on')
    .map(({ path, code }) => `${path} ${code}`);
const agents = (...ids: string[]) => ({ agents: { list: ids.map((id) => ({ id })) } });

describe('validateTenantConfig', () => {
  it('accepts a document and fills defaults of sessions, agents and models', () => {
    const { config, issues, warnings } = validateTenantConfig({ agents: { list: [{ id: 'a' }, { id: 'b', model: 'own' }] }, models: { default: 'm' } });
    expect({ issues, warnings }).toEqual({ issues: [], warnings: [] });
    expect(config).toMatchObject({
      agents: {
        list: [
          { id: 'a', default: true, model: 'm' },
          { id: 'b', model: 'own' },
        ],
      },
      session: { dmScope: 'main', mainKey: 'main', scope: 'per-sender' },
      bindings: [],
    });
    expect(Object.isFrozen(config?.agents.list[0])).toBe(true);
  });

  it('reports every issue of a stage with path, value and fix', () => {
    const { issues } = validateTenantConfig({
      agents: { list: [{ id: 'a', sandbox: { scope: 'sesion', prune: { idelMs: 1 } }, toolz: {} }] },
      lanes: { main: 0 },
      session: { dmScope: 7 },
      cron: {
        jobs: [
          { id: 'j', cron: 'at nine', timeZone: 'Mars/Base', message: 'x' },
          { id: 'j', message: 'x' },
        ],
      },
      models: { providers: { p: { baseUrl: 'not an address', apiKey: 'sk-abcdefghijklmnop' } } },
    });
    expect(issues).toEqual([
      expect.objectContaining({ path: 'agents.list.0.sandbox.prune.idelMs', code: 'unrecognized_keys', value: 1, fix: 'did you mean idleMs?' }),
      expect.objectContaining({ path: 'agents.list.0.sandbox.scope', code: 'invalid_value', value: 'sesion', fix: 'did you mean session?' }),
      expect.objectContaining({ path: 'agents.list.0.toolz', code: 'unrecognized_keys', fix: 'did you mean tools?' }),
      expect.objectContaining({ path: 'cron.jobs.0.cron', code: 'custom', value: 'at nine', message: 'is no cron pattern of five or six fields' }),
      expect.objectContaining({ path: 'cron.jobs.0.timeZone', code: 'custom', value: 'Mars/Base' }),
      expect.objectContaining({ path: 'cron.jobs.1.cron', code: 'custom', message: 'needs exactly one of cron and everyMs' }),
      expect.objectContaining({ path: 'cron.jobs.1.id', code: 'duplicate_job', value: 'j', fix: 'give every job its own id' }),
      expect.objectContaining({ path: 'lanes.main', code: 'too_small', value: 0, fix: 'use at least 1' }),
      expect.objectContaining({
        path: 'models.providers.p.apiKey',
        code: 'invalid_format',
        value: '[redacted]',
        message: expect.stringContaining('must be a reference'),
      }),
      expect.objectContaining({ path: 'models.providers.p.baseUrl', code: 'custom', value: 'not an address' }),
      expect.objectContaining({ path: 'session.dmScope', code: 'invalid_value', value: 7 }),
    ]);
  });

  it('goes stage by stage: moved keys, schema, folders, avatars, plugins', () => {
    const faults: Record<string, unknown> = {
      sandbox: {},
      unknownKey: 1,
      agents: {
        list: [
          { id: 'a', agentDir: '/x', identity: { avatar: '~/x' } },
          { id: 'b', agentDir: '/x' },
        ],
      },
      plugins: { allow: ['ghost'] },
    };
    expect(found(faults)).toEqual(['sandbox legacy_key']);
    delete faults.sandbox;
    expect(found(faults)).toEqual(['unknownKey unrecognized_keys']);
    delete faults.unknownKey;
    expect(found(faults)).toEqual(['agents.list.1.agentDir duplicate_agent_dir']);
    faults.agents = { list: [{ id: 'a', identity: { avatar: '~/x' } }] };
    expect(found(faults)).toEqual(['agents.list.0.identity.avatar avatar_home']);
    faults.agents = { list: [{ id: 'a' }] };
    expect(found(faults)).toEqual(['plugins.allow.0 unknown_plugin']);
  });

  it('says where a setting of an earlier format is now', () => {
    const { issues } = validateTenantConfig({ telegram: {}, routing: {}, agents: { list: [{ id: 'a', sandbox: { prune: { idleHours: 24 } } }] } });
    expect(issues.map(({ path, fix }) => [path, fix])).toEqual([
      ['agents.list.0.sandbox.prune.idleHours', 'write milliseconds: idleMs'],
      ['routing', 'move the bindings to bindings and the agents to agents.list'],
      ['telegram', 'move it to channels.telegram'],
    ]);
  });

  it('refuses agents, accounts and references that lead nowhere', () => {
    const document = {
      ...agents('a'),
      bindings: [{ agentId: 'b', match: { channel: 'slack' } }],
      cron: { jobs: [{ id: 'j', everyMs: 1_000, message: 'x', agentId: 'c' }] },
      channels: { slack: { defaultAccount: 'z', accounts: {} } },
      defaultOwner: `\${owner}`,
    };
    expect(found(document)).toEqual([
      'bindings.0.agentId unknown_agent',
      'channels.slack.defaultAccount unknown_account',
      'cron.jobs.0.agentId unknown_agent',
      'defaultOwner bad_reference',
    ]);
  });

  it('refuses secrets in settings, variables and plugins, and shows none of them', () => {
    const secret = 'hunter2-hunter2';
    const document = {
      env: { GREETING: 'hello', BOT_TOKEN: secret },
      channels: {
        telegram: {
          accounts: {
            a: {
              settings: {
                botToken: secret,
                deep: [{ password: secret, token: `\${T}`, apiKey: { env: 'K' } }],
                url: 'https://u:p@host/',
                authorization: `Bearer \${T}`,
                proxy: `http://\${U}:\${P}@host`,
              },
            },
          },
        },
      },
      plugins: { entries: { p: { config: { token: secret, maxTokens: 5 } } } },
    };
    const { issues } = validateTenantConfig(document);
    expect(issues.map(({ path, code, value }) => [path, code, value])).toEqual([
      ['channels.telegram.accounts.a.settings.botToken', 'plain_secret', '[redacted]'],
      ['channels.telegram.accounts.a.settings.deep.0.password', 'plain_secret', '[redacted]'],
      ['channels.telegram.accounts.a.settings.url', 'plain_secret', '[redacted]'],
      ['env.BOT_TOKEN', 'plain_secret', '[redacted]'],
      ['plugins.entries.p.config.token', 'plain_secret', '[redacted]'],
    ]);
    expect(JSON.stringify(issues)).not.toContain(secret);
  });

  describe('with plugins', () => {
    const plugins: PluginDeclaration[] = [
      {
        id: 'voice',
        configSchema: { type: 'object', properties: { rate: { type: 'integer', minimum: 1 } }, required: ['rate'], additionalProperties: false },
        channels: ['phone'],
      },
      { id: 'notes', kind: 'memory', configSchema: { type: 'object' } },
      { id: 'bare' },
      { id: 'broken', configSchema: { $ref: 'https://elsewhere.example/schema' } },
    ];

    it('refuses ids that no plugin has, wherever they stand', () => {
      const document = { plugins: { entries: { voise: {} }, allow: ['voice', 'x'], deny: ['y'], slots: { memory: 'z' } } };
      expect(found(document, { plugins })).toEqual([
        'plugins.allow.1 unknown_plugin',
        'plugins.deny.0 unknown_plugin',
        'plugins.entries.voise unknown_plugin',
        'plugins.slots.memory unknown_plugin',
      ]);
      expect(validateTenantConfig({ plugins: { entries: { voise: {} } } }, { plugins }).issues[0]?.fix).toBe('did you mean voice?');
      expect(found({ plugins: { slots: { memory: 'none' } } })).toEqual([]);
      expect(found({ plugins: { slots: { memory: 'voice' } } }, { plugins })).toEqual(['plugins.slots.memory wrong_plugin_kind']);
    });

    it('checks settings against the schema of the plugin, which must be there', () => {
      const document = { plugins: { entries: { voice: { config: { rate: 0, raet: 1 } }, bare: {}, broken: {} } } };
      const { issues } = validateTenantConfig(document, { plugins });
      expect(issues.map(({ path, code }) => `${path} ${code}`)).toEqual([
        'plugins.entries.bare missing_schema',
        'plugins.entries.broken.config bad_schema',
        'plugins.entries.voice.config.raet unrecognized_keys',
        'plugins.entries.voice.config.rate too_small',
      ]);
      expect(found({ plugins: { entries: { voice: {} } } }, { plugins })).toEqual(['plugins.entries.voice.config.rate invalid_type']);
    });

    it('only warns of settings of a disabled plugin, and still checks them', () => {
      const entry = (config: unknown) => ({ plugins: { entries: { voice: { enabled: false, config } } } });
      expect(warned(entry({ rate: 1 }), { plugins })).toEqual(['plugins.entries.voice.config disabled_plugin']);
      expect(found(entry({ rate: 'x' }), { plugins })).toEqual(['plugins.entries.voice.config.rate invalid_type']);
    });

    it('knows channels of plugins and of adapters, and refuses others', () => {
      const document = { channels: { phone: {}, matrix: {}, telegrom: {} }, heartbeat: { everyMs: 60_000, target: 'PHONE' } };
      expect(found(document, { plugins, channels: { matrix: {} } })).toEqual(['channels.telegrom unknown_channel']);
      expect(validateTenantConfig(document, { plugins, channels: { matrix: {} } }).issues[0]?.fix).toBe('did you mean telegram?');
      expect(found({ channels: { phone: {} }, plugins: { deny: ['voice'] } }, { plugins })).toEqual(['channels.phone unknown_channel']);
    });
  });

  it('checks settings of accounts against the schema of their adapter', () => {
    const channels = { telegram: { settings: z.strictObject({ botToken: z.string(), pollSeconds: z.number().max(50).optional() }) } };
    const document = { channels: { telegram: { accounts: { a: { settings: { botTokn: `\${T}`, pollSeconds: 60 } } } } } };
    expect(found(document, { channels })).toEqual([
      'channels.telegram.accounts.a.settings.botToken invalid_type',
      'channels.telegram.accounts.a.settings.botTokn unrecognized_keys',
      'channels.telegram.accounts.a.settings.pollSeconds too_big',
    ]);
  });

  it.each(['last', 'None', ' slack ', 'TELEGRAM'])('takes the heartbeat target %j', (target) =>
    expect(found({ agents: { list: [{ id: 'a', heartbeat: { target } }] } })).toEqual([]),
  );
  it.each(['', '  ', 'slak', 'everyone'])('refuses the heartbeat target %j', (target) =>
    expect(found({ agents: { defaults: { heartbeat: { target } } } })).toEqual(['agents.defaults.heartbeat.target bad_target']),
  );

  it('warns, and never blocks, where something will not do what its author expects', () => {
    const document = {
      ...agents('a', 'b'),
      bindings: [
        { agentId: 'a', match: { channel: 'slack' } },
        { agentId: 'b', match: { channel: 'slack' } },
        { agentId: 'b', match: { channel: 'irc' } },
      ],
      tools: { deny: ['group:filesystem', 'group:fs'] },
      models: { providers: { p: { baseUrl: 'http://localhost:1', models: [{ id: 'large' }] } }, default: 'p/lrage', fallbacks: ['q/x'] },
    };
    expect(found(document)).toEqual([]);
    expect(warned(document)).toEqual([
      'bindings.1 conflicting_binding',
      'bindings.2.match.channel unknown_channel',
      'models.default unknown_model',
      'models.fallbacks.0 unknown_provider',
      'tools.deny.0 unknown_tool_group',
    ]);
  });

  it('refuses nesting without end and keys of prototypes before it looks any further', () => {
    let deep: unknown = {};
    for (let level = 0; level < 100_000; level++) deep = { x: deep };
    expect(found({ meta: deep })).toEqual(['. too_deep']);
    expect(found(JSON.parse('{"channels": {"__proto__": {}}}'))).toEqual(['channels.__proto__ forbidden_key']);
  });
});

describe('1,000 random documents', () => {
  const options = { plugins: [{ id: 'p', configSchema: { type: 'object' } }] };

  it('that are valid pass, and agree with the parser that services use', () => {
    fc.assert(
      fc.property(validDocument, (document) => {
        const { config, issues } = validateTenantConfig(document, options);
        expect(issues).toEqual([]);
        expect(config).toBeDefined();
        expect(parseTenantConfig(document).ok).toBe(true);
        expect(validateTenantConfig(JSON.parse(JSON.stringify(config)), options).config).toEqual(config);
      }),
      { numRuns: 300 },
    );
  });

  it('that were damaged are accepted or refused, never thrown at; every issue has a path, a code and a fix, and comes in the same order again', () => {
    fc.assert(
      fc.property(validDocument, fc.array(mutation, { minLength: 1, maxLength: 4 }), (document, mutations) => {
        const damaged = mutations.reduce<unknown>((value, mutate) => mutate(value), document);
        const first = validateTenantConfig(damaged, options);
        expect(first.config === undefined).toBe(first.issues.length > 0);
        for (const issue of first.issues)
          expect(issue).toEqual(
            expect.objectContaining({
              path: expect.any(String),
              code: expect.stringMatching(/^[a-z_]+$/),
              message: expect.any(String),
              fix: expect.any(String),
            }),
          );
        expect(validateTenantConfig(structuredClone(damaged), options)).toEqual(first);
        expect(validateTenantConfig(reversed(damaged), options).issues).toEqual(first.issues);
      }),
      { numRuns: 500 },
    );
  });

  it('that are any JSON at all are answered too', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (document) => {
        const { config, issues } = validateTenantConfig(document, options);
        expect(config === undefined).toBe(issues.length > 0);
      }),
      { numRuns: 200 },
    );
  });
});

/** The same document with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}
