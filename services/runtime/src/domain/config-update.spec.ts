import { answerConfigUpdate } from './config-update.js';

const update = (data: Record<string, unknown>) => ({ type: 'config_update' as const, data });
const sessions = [
  { id: 'idle', isBusy: false },
  { id: 'busy', isBusy: true },
];

describe('the answer to a config_update', () => {
  it('says what holds now, what from the next run on, and what cannot be changed', () => {
    const agent_config = { model: 'acme/small', system_prompt: 'Be brief.', voice: 'deep' };
    expect(answerConfigUpdate(update({ session_id: 'idle', agent_config, skills: [] }), sessions)).toEqual({
      type: 'config_ack',
      session_id: 'idle',
      applied: ['agent_config.model', 'agent_config.system_prompt'],
      deferred: [],
      rejected: ['agent_config.voice', 'skills'],
      restart_required: false,
    });
    expect(answerConfigUpdate(update({ session_id: 'busy', agent_config: { model: 'x' } }), sessions)).toMatchObject({
      applied: [],
      deferred: ['agent_config.model'],
    });
  });

  it('takes tool rules and the lists of skills and MCP servers as they come', () => {
    expect(answerConfigUpdate(update({ session_id: 'idle', agent_config: { tools: null }, skill_index: [], mcp_servers: [] }), sessions)).toMatchObject({
      applied: ['agent_config.tools', 'skill_index', 'mcp_servers'],
      rejected: [],
    });
  });

  it('rejects everything for a session that is not here', () => {
    expect(answerConfigUpdate(update({ session_id: 'gone', agent_config: { model: 'x' } }), sessions)).toMatchObject({
      applied: [],
      rejected: ['agent_config.model'],
    });
  });

  it('means every session when it names none', () => {
    expect(answerConfigUpdate(update({ agent_config: { temperature: 0 } }), sessions)).toMatchObject({ deferred: ['agent_config.temperature'] });
    expect(answerConfigUpdate(update({ agent_config: { temperature: 0 } }), [])).toMatchObject({ applied: ['agent_config.temperature'] });
  });
});
