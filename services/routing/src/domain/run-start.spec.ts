import { TenantConfig, type TenantConfigInput } from '@plexus/agent-config';
import fc from 'fast-check';
import { composeRunStart, newestThatFit } from './run-start.js';
import { jsonBytes } from './text-limits.js';

const run = {
  sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
  sessionKey: 'agent:main:main',
  owner: 'me',
  agentId: 'main',
  runId: 'r',
  message: 'hi',
  timeoutMs: 1_000,
};
const limits = { messages: 40, bytes: 1_000 };

test('history is the newest messages in their order, within both limits, and never fewer than fit', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), fc.nat(10), fc.nat(200), (texts, messages, bytes) => {
      const all = texts.map((text) => ({ role: 'user' as const, text }));
      const kept = newestThatFit(all, { messages, bytes });
      expect(kept).toEqual(kept.length === 0 ? [] : all.slice(-kept.length));
      expect(kept.length).toBeLessThanOrEqual(messages);
      const size = (list: typeof all) => list.reduce((sum, { text }) => sum + jsonBytes(text), 0);
      expect(size(kept)).toBeLessThanOrEqual(bytes);
      const next = all.at(-kept.length - 1);
      if (next && kept.length < messages) expect(size([next, ...kept])).toBeGreaterThan(bytes);
    }),
  );
});

test('what is said of files counts in bytes, as it travels', () => {
  const message = { text: '', attachments: [{ name: '€'.repeat(100) }] };
  const bytes = Buffer.byteLength(JSON.stringify(message.attachments)) + jsonBytes('');
  expect(newestThatFit([message, message], { messages: 10, bytes: 2 * bytes - 1 })).toHaveLength(1);
  expect(newestThatFit([message, message], { messages: 10, bytes: 2 * bytes })).toHaveLength(2);
});

const configOf = (input: TenantConfigInput) => TenantConfig.parse(input);

test('the agent configuration decides model, prompt and whose VM it is', () => {
  const agent = (more: object) => configOf({ agents: { list: [{ id: 'main', ...more }] } });
  expect(composeRunStart(run, agent({ model: 'm', systemPrompt: 'p', scope: 'session' }), [], limits)).toMatchObject({
    model: 'm',
    systemPrompt: 'p',
    scopeKey: `session:${run.sessionId}`,
  });
  expect(composeRunStart(run, agent({ scope: 'agent' }), [], limits).scopeKey).toBe('agent:main');
  expect(composeRunStart(run, agent({ sandbox: { scope: 'agent' } }), [], limits).scopeKey).toBe('agent:main');
  const started = composeRunStart(run, undefined, [], limits);
  expect(started).toMatchObject({ scopeKey: 'user', history: [] });
  expect(started).not.toHaveProperty('model');
});

test('a model is that of the agent, else of agents.defaults, else models.default, and comes with its provider', () => {
  const models = { providers: { acme: { baseUrl: 'http://a', models: [{ id: 'm1' }] } }, default: 'acme/m0' };
  const started = (agents: TenantConfigInput['agents']) => composeRunStart(run, configOf({ agents, models }), [], limits);
  expect(started({ list: [{ id: 'main' }] })).toMatchObject({ model: 'm0', modelProvider: 'acme' });
  expect(started({ defaults: { model: 'm1' }, list: [{ id: 'main' }] })).toMatchObject({ model: 'm1', modelProvider: 'acme' });
  const own = started({ defaults: { model: 'm1' }, list: [{ id: 'main', model: 'else/where' }] });
  expect(own.model).toBe('else/where');
  expect(own).not.toHaveProperty('modelProvider');
});

test('its fallbacks come along in order with their providers and windows, those of the agent instead of the general ones', () => {
  const models = {
    providers: { acme: { baseUrl: 'http://a', models: [{ id: 'm0', contextWindow: 64_000 }] } },
    default: 'acme/m0',
    fallbacks: ['acme/m2', 'loose'],
  };
  const started = (agent: object) => composeRunStart(run, configOf({ agents: { list: [{ id: 'main', ...agent }] }, models }), [], limits);
  expect(started({})).toMatchObject({ contextTokens: 64_000, fallbacks: [{ model: 'm2', provider: 'acme' }, { model: 'loose' }] });
  expect(started({ model: 'acme/m2', models: { fallbacks: ['acme/m0'] } }).fallbacks).toEqual([{ model: 'm0', provider: 'acme', contextTokens: 64_000 }]);
  expect(started({ models: { fallbacks: [] } })).not.toHaveProperty('fallbacks');
});

test('a message that no command can carry is refused when it is accepted, not when it is sent', () => {
  const large = { ...run, message: '\u0001'.repeat(100_000), extraSystemPrompt: '\u0001'.repeat(60_000) };
  expect(() => composeRunStart(large, undefined, [], limits)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }));
});
