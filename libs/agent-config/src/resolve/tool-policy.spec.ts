import fc from 'fast-check';
import { type AgentToolsConfig, resolveToolPolicy, type TenantConfigInput } from '../index.js';
import { configOf, validDocument } from '../../test/documents.js';
import { expandToolNames, matchesTool } from './tool-names.js';

const open = { sandboxed: false };
const policy = (tools: TenantConfigInput['tools'], own?: AgentToolsConfig, options: Parameters<typeof resolveToolPolicy>[2] = open) =>
  resolveToolPolicy(configOf({ ...(tools && { tools }), agents: { list: [{ id: 'a', ...(own && { tools: own }) }] } }), 'a', options);

describe('resolveToolPolicy', () => {
  it('allows everything where nothing is configured, and an empty list means everything', () => {
    expect(policy(undefined).isAllowed('anything')).toBe(true);
    expect(policy({ allow: [] }, { allow: [] }).isAllowed('exec')).toBe(true);
    expect(policy(undefined).isAllowed('  ')).toBe(false);
  });

  it('trims names, folds their case, knows aliases and groups, and anchors wildcards', () => {
    const rules = policy({ allow: [' Bash ', 'group:fs', 'web_*'] });
    for (const name of ['exec', 'BASH', ' apply-patch ', 'write', 'web_search']) expect(rules.isAllowed(name)).toBe(true);
    for (const name of ['process', 'myweb_search', 'executor']) expect(rules.isAllowed(name)).toBe(false);
  });

  it('lets no agent have what the global rules refuse', () => {
    const rules = policy({ deny: ['exec'] }, { allow: ['exec'], alsoAllow: ['exec'] });
    expect(rules.explain('exec')).toEqual({
      tool: 'exec',
      allowed: false,
      layers: [
        { layer: 'profile', verdict: 'allowed' },
        { layer: 'tools', verdict: 'denied', by: 'exec' },
        { layer: 'agents.list.a.tools', verdict: 'allowed', by: 'exec' },
      ],
    });
  });

  it('limits to a profile, which alsoAllow widens', () => {
    expect(policy({ profile: 'minimal' }).isAllowed('session_status')).toBe(true);
    expect(policy({ profile: 'minimal' }).isAllowed('exec')).toBe(false);
    expect(policy({ profile: 'minimal' }, { profile: 'coding' }).isAllowed('exec')).toBe(true);
    expect(policy({ profile: 'minimal' }, { alsoAllow: ['exec'] }).isAllowed('exec')).toBe(true);
    expect(policy({ profile: 'full' }, { alsoAllow: ['plug_one'] }).isAllowed('read')).toBe(true);
  });

  it('drops an allow list that names only tools of plugins, so that core tools stay', () => {
    const options = { ...open, pluginTools: ['plug_one', 'plug_two'] };
    expect(policy({ allow: ['plug_one'] }, undefined, options).isAllowed('read')).toBe(true);
    expect(policy({ allow: ['group:plugins'] }, undefined, options).isAllowed('read')).toBe(true);
    expect(policy({ allow: ['plug_one', 'exec'] }, undefined, options).isAllowed('read')).toBe(false);
    expect(policy({ allow: ['group:plugins', 'exec'] }, undefined, options).isAllowed('plug_two')).toBe(true);
  });

  it('narrows while a certain provider answers', () => {
    const tools = { byProvider: { small: { profile: 'minimal' as const, deny: ['gateway'] } } };
    expect(policy(tools, undefined, { ...open, provider: 'Small' }).isAllowed('exec')).toBe(false);
    expect(policy(tools, undefined, { ...open, provider: 'large' }).isAllowed('exec')).toBe(true);
  });

  describe('inside a sandbox', () => {
    const inside = { sandboxed: true };

    it('allows shell, files, pictures and sessions, and refuses what reaches out', () => {
      const rules = resolveToolPolicy(configOf({ channels: { matrix: { accounts: {} } } }), 'main', inside);
      for (const name of ['exec', 'process', 'read', 'apply_patch', 'image', 'sessions_send']) expect(rules.isAllowed(name)).toBe(true);
      for (const name of ['browser', 'canvas', 'nodes', 'cron', 'gateway', 'telegram', 'slack', 'matrix', 'web_fetch'])
        expect(rules.isAllowed(name)).toBe(false);
    });

    it('replaces lists, allow and deny each for themselves', () => {
      const tools = { sandbox: { tools: { allow: ['browser'], deny: ['exec'] } } };
      expect(policy(tools, undefined, inside).isAllowed('browser')).toBe(true);
      expect(policy(tools, { sandbox: { tools: { deny: ['browser'] } } }, inside).isAllowed('browser')).toBe(false);
      expect(policy(tools, { sandbox: { tools: { allow: ['exec', 'web_fetch'] } } }, inside).isAllowed('web_fetch')).toBe(true);
      expect(policy(tools, { sandbox: { tools: { allow: ['exec'] } } }, inside).isAllowed('exec')).toBe(false);
    });

    it('adds image to a list without making a list of an empty one', () => {
      const some = policy({ sandbox: { tools: { allow: ['exec'] } } }, undefined, inside);
      expect(some.isAllowed('image')).toBe(true);
      const everything = policy({ sandbox: { tools: { allow: [] } } }, undefined, inside);
      expect(everything.isAllowed('image') && everything.isAllowed('web_fetch')).toBe(true);
      expect(policy({ sandbox: { tools: { allow: ['exec'], deny: ['image'] } } }, undefined, inside).isAllowed('image')).toBe(false);
    });
  });

  it('never allows what any list denies', () => {
    fc.assert(
      fc.property(
        validDocument,
        fc.boolean(),
        fc.constantFrom('exec', 'read', 'web_fetch', 'image', 'browser', 'session_status'),
        (document, sandboxed, tool) => {
          const config = configOf(document);
          for (const agent of config.agents.list) {
            const denied = expandToolNames([...(config.tools?.deny ?? []), ...((agent.tools ?? config.agents.defaults?.tools)?.deny ?? [])]).some((pattern) =>
              matchesTool(pattern, tool),
            );
            const result = resolveToolPolicy(config, agent.id, { sandboxed }).explain(tool);
            if (denied) expect(result.allowed).toBe(false);
            expect(result.allowed).toBe(result.layers.every(({ verdict }) => verdict === 'allowed'));
          }
        },
      ),
    );
  });
});

describe('matchesTool', () => {
  it('agrees with an anchored regular expression', () => {
    const text = fc.stringMatching(/^[ab_*]{0,8}$/);
    fc.assert(
      fc.property(text, fc.stringMatching(/^[ab_]{0,10}$/), (pattern, name) => {
        expect(matchesTool(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes no time on many stars', () => {
    expect(matchesTool('*a'.repeat(5_000), 'a'.repeat(10_000))).toBe(true);
    expect(matchesTool(`${'*a'.repeat(5_000)}b`, 'a'.repeat(10_000))).toBe(false);
  });
});
