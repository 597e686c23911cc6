import { NOT_ACTED_ON, referencePage, validateTenantConfig } from '../index.js';

const idleIn = (document: unknown): string[] => {
  const { issues, warnings } = validateTenantConfig(document);
  expect(issues).toEqual([]);
  return warnings.filter(({ code }) => code === 'not_acted_on').map(({ path }) => path);
};

describe('a setting that nothing acts on yet', () => {
  it('is accepted with a warning at its place', () => {
    const document = {
      lanes: { main: 2 },
      agents: { defaults: { sandbox: { mode: 'all', scope: 'agent' } }, list: [{ id: 'a' }, { id: 'b', heartbeat: { everyMs: 60_000, target: 'none' } }] },
      models: { providers: { acme: { baseUrl: 'http://acme', models: [{ id: 'm', maxTokens: 8_000 }] } } },
    };
    expect(idleIn(document)).toEqual(['agents.defaults.sandbox.mode', 'agents.list.1.heartbeat.target', 'lanes', 'models.providers.acme.models.0.maxTokens']);
  });

  it('is none of those that are obeyed', () => {
    const document = {
      agents: { defaults: { model: 'acme/m', systemPrompt: 'Be brief.', sandbox: { prune: { idleMs: 1 } } }, list: [{ id: 'a', scope: 'agent' }] },
      models: {
        providers: { acme: { baseUrl: 'http://acme', apiKey: { env: 'KEY' }, models: [{ id: 'm', contextWindow: 64_000 }] } },
        default: 'acme/m',
        fallbacks: ['acme/n'],
      },
      bindings: [],
      session: { dmScope: 'per-peer' },
      tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true } },
      retention: { transcriptDays: 3 },
      heartbeat: { everyMs: 60_000, message: 'Anything new?' },
      cron: { jobs: [{ id: 'daily', cron: '0 9 * * *', timeZone: 'Europe/Berlin', message: 'Report.' }] },
      messages: { queue: { mode: 'collect' } },
    };
    expect(idleIn(document)).toEqual([]);
  });

  it('is told by the reference page, each one', () => {
    for (const { path } of NOT_ACTED_ON) expect(referencePage()).toContain(`| \`${path.replaceAll('.*', '.<…>')}\` |`);
  });
});
