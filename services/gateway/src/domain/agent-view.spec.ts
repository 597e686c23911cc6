import { TenantConfig } from '@plexus/agent-config';
import { agentCard, agentSettings } from './agent-view.js';

const CONFIG = TenantConfig.parse({
  agents: {
    defaults: { skills: ['greet'], tools: { deny: ['exec'] }, sandbox: { docker: { env: { DB_PASSWORD: '${DB_PASSWORD}' } } } },
    list: [
      { id: 'main', default: true, name: 'Main', model: 'big/one', systemPrompt: 'Sign as ${SIGNATURE}.', owner: 'ann' },
      { id: 'leaky', systemPrompt: 'sk-proj-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4f9a8b7c' },
    ],
  },
  models: { providers: { big: { baseUrl: 'https://models.example', apiKey: '${BIG_KEY}', models: [{ id: 'one' }] } }, fallbacks: ['big/two'] },
});

describe('what an agent may see of the configuration', () => {
  it('is its own settings with the defaults, references as references, and neither providers nor containers', () => {
    expect(agentSettings(CONFIG, 'MAIN')).toEqual({
      agent_id: 'main',
      name: 'Main',
      model: 'big/one',
      fallback_models: ['big/two'],
      system_prompt: 'Sign as ${SIGNATURE}.',
      skills: ['greet'],
      tools: { deny: ['exec'] },
    });
  });

  it('is no secret that somebody wrote where none belongs', () => {
    expect(JSON.stringify(agentSettings(CONFIG, 'leaky'))).not.toContain('4f9a8b7c');
  });

  it('is of other agents what everybody knows', () => {
    expect(agentCard(CONFIG, 'main')).toEqual({ agent_id: 'main', name: 'Main', model: 'big/one' });
    expect([agentCard(CONFIG, 'nobody'), agentSettings(CONFIG, 'nobody')]).toEqual([undefined, undefined]);
  });
});
