import { validateTenantConfig } from '@plexus/agent-config';
import fc from 'fast-check';
import { mapConfig } from './map-config.js';
import { mergeDocument } from './merge-document.js';
import { type Place, Reading } from './reading.js';

type Json = Record<string, unknown>;

/** Keys that OpenClaw has, so that arbitrary documents get somewhere. */
const KEYS = [
  ...['agents', 'defaults', 'list', 'entries', 'id', 'default', 'name', 'model', 'primary', 'fallbacks', 'models', 'alias', 'heartbeat', 'every', 'prompt'],
  ...['sandbox', 'scope', 'prune', 'idleHours', 'tools', 'profile', 'allow', 'deny', 'byProvider', 'skills', 'workspace', 'identity', 'params', 'bindings'],
  ...['agentId', 'match', 'channel', 'accountId', 'peer', 'kind', 'session', 'dmScope', 'mainKey', 'identityLinks', 'messages', 'queue', 'mode', 'byChannel'],
  ...['channels', 'telegram', 'slack', 'whatsapp', 'accounts', 'botToken', 'allowFrom', 'dmPolicy', 'providers', 'openai', 'baseUrl', 'apiKey', 'api', 'mcp'],
  ...['servers', 'command', 'args', 'env', 'url', 'headers', 'vars', 'gateway', 'auth', 'token', 'cron', 'enabled', 'reload', 'debounceMs', 'unheardOf'],
];
const leaf = fc.oneof(fc.constantFrom('main', 'collect', '30m', 'agent', 'opus', 'openai/gpt', 'direct', '*', ''), fc.string(), fc.integer(), fc.boolean());
const { document } = fc.letrec((tie) => ({
  document: fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 6 }),
  value: fc.oneof({ maxDepth: 5 }, leaf, tie('document'), fc.array(tie('value') as fc.Arbitrary<unknown>, { maxLength: 3 })),
}));

/** A document with the sections where they belong, each with anything inside. */
const configs = fc.record(
  Object.fromEntries(
    ['agents', 'bindings', 'session', 'messages', 'channels', 'models', 'mcp', 'env', 'tools', 'cron', 'gateway'].map((key) => [key, document]),
  ),
  { requiredKeys: [] },
) as fc.Arbitrary<Json>;
const runs = { numRuns: 60 };

describe('a configuration of OpenClaw becomes the document of a tenant', () => {
  it('that is valid, whatever the input', () => {
    fc.assert(
      fc.property(fc.oneof(configs, document as fc.Arbitrary<Json>), fc.array(document, { maxLength: 3 }), (config, jobs) => {
        expect(validateTenantConfig(mapConfig(config, jobs).document).issues).toEqual([]);
      }),
      runs,
    );
  });

  it('and the same input becomes the same document, which merged twice is merged once', () => {
    fc.assert(
      fc.property(configs, configs, (config, other) => {
        const mapped = mapConfig(config);
        expect(mapConfig(structuredClone(config))).toEqual(mapped);
        const own = mapConfig(other).document as Json;
        const once = mergeDocument(own, mapped.document as Json);
        expect(mergeDocument(once, mapped.document as Json)).toEqual(once);
      }),
      runs,
    );
  });

  it('without a secret that stands in it, neither in the document nor in the report', () => {
    const secret = 'sk-a1b2c3d4e5f6a7b8';
    const places = ['channels.telegram.botToken', 'channels.telegram.accounts.ops.botToken', 'channels.slack.signingSecret', 'models.providers.openai.apiKey'];
    places.push(
      'env.OPENAI_API_KEY',
      'env.vars.SOME_VALUE',
      'mcp.servers.issues.env.PLAIN',
      'mcp.servers.issues.args.0',
      'gateway.auth.token',
      'skills.entries.x.apiKey',
    );
    fc.assert(
      fc.property(configs, fc.subarray(places, { minLength: 1 }), (config, chosen) => {
        const holding = structuredClone(config);
        for (const place of chosen) set(holding, place.split('.'), secret);
        expect(JSON.stringify(mapConfig(holding))).not.toContain(secret);
      }),
      runs,
    );
  });

  it('and every setting that is not in it is in the report, with a reason', () => {
    const config = {
      agents: { list: [{ id: 'a', thinkingDefault: 'low' }] },
      talk: { voiceId: 'x' },
      channels: { telegram: { groups: {} } },
      session: { reset: {} },
    };
    const { notTaken } = mapConfig(config);
    expect(notTaken.map(({ path }) => path).sort()).toEqual(['agents.list.0.thinkingDefault', 'channels.telegram.groups', 'session', 'talk']);
    for (const { reason } of notTaken) expect(reason).toMatch(/\w/);
  });

  it('reading with a pencil: a leaf is taken, left, or reported, never twice and never not', () => {
    fc.assert(
      fc.property(configs, fc.infiniteStream(fc.constantFrom('take', 'leave', 'look')), (config, choices) => {
        const reading = new Reading(config);
        const taken = new Set<string>();
        const visit = (place: Place): void => {
          const choice = choices.next().value;
          if (choice === 'take') for (const path of leaves(place)) taken.add(path);
          if (choice === 'take') place.take();
          else if (choice === 'leave') place.leave('because');
          else for (const inner of place.entries()) visit(inner);
        };
        for (const place of reading.root.entries()) visit(place);
        const left = new Set<string>();
        const before = reading.notTaken.length;
        reading.leaveRest(() => 'rest');
        expect(new Set(reading.notTaken.map(({ path }) => path)).size).toBe(reading.notTaken.length);
        expect(before).toBeLessThanOrEqual(reading.notTaken.length);
        for (const path of leaves(reading.root)) if (!taken.has(path)) left.add(path);
        // Each leaf that nobody took lies under exactly one line of the report.
        for (const path of left)
          expect(reading.notTaken.filter((line) => path === line.path || path.startsWith(`${line.path}.`) || path.startsWith(`${line.path}[`))).toHaveLength(1);
      }),
      runs,
    );
  });

  it('jobs come with their rhythm; single times and what OpenClaw made for itself stay', () => {
    const { document: mapped, notTaken } = mapConfig({ agents: { list: [{ id: 'work' }] }, cron: { enabled: false } }, [
      { id: 'A b', agentId: 'Work', schedule: { kind: 'cron', expr: '0 7 * * *', tz: 'Europe/Berlin' }, payload: { kind: 'agentTurn', message: 'Summarise.' } },
      { id: 'c', agentId: 'gone', schedule: { kind: 'every', everyMs: 60_000 }, payload: { kind: 'systemEvent', text: 'Look.' } },
      { id: 'd', schedule: { kind: 'at', at: '2026-12-01T09:00:00Z' }, payload: { kind: 'systemEvent', text: 'Once.' } },
      { id: 'e', declarationKey: 'memory', schedule: { kind: 'every', everyMs: 1_000 }, payload: { kind: 'agentTurn', message: '__dream__' } },
      { id: 'f', schedule: { kind: 'cron', expr: 'now and then' }, payload: { kind: 'agentTurn', message: 'x' } },
    ]);
    expect(mapped.cron?.jobs).toEqual([
      { id: 'a-b', agentId: 'work', enabled: false, cron: '0 7 * * *', timeZone: 'Europe/Berlin', message: 'Summarise.' },
      { id: 'c', enabled: false, everyMs: 60_000, message: 'Look.' },
    ]);
    for (const index of [2, 3, 4]) expect(notTaken).toContainEqual({ path: `cron_jobs.${index}`, reason: expect.stringMatching(/\w/) });
  });

  it('aliases of models, names of their variables and known providers are resolved', () => {
    const { document: mapped, variables } = mapConfig({
      agents: { defaults: { model: { primary: 'opus', fallbacks: ['groq/llama'] }, models: { 'anthropic/claude-opus': { alias: 'Opus' } } } },
      models: { providers: { local: { baseUrl: 'http://localhost:4000/v1', apiKey: 'LITELLM_KEY' }, other: { baseUrl: 'https://x.example', api: 'ollama' } } },
    });
    expect(mapped).toMatchObject({
      agents: { defaults: { model: 'anthropic/claude-opus', models: { fallbacks: ['groq/llama'] } }, list: [{ id: 'main', default: true }] },
      models: { providers: { local: { apiKey: `\${LITELLM_KEY}` }, anthropic: { apiKey: `\${ANTHROPIC_API_KEY}` }, groq: {} } },
    });
    expect(mapped.models?.providers).not.toHaveProperty('other');
    expect(variables.map(({ name }) => name).sort()).toEqual(['ANTHROPIC_API_KEY', 'GROQ_API_KEY', 'LITELLM_KEY']);
  });
});

function set(target: Json, [key = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) target[key] = value;
  else {
    if (typeof target[key] !== 'object' || target[key] === null) target[key] = {};
    set(target[key] as Json, rest, value);
  }
}

/** Paths of everything that has nothing below it, as reports write them. */
function leaves(place: Place): string[] {
  const inner = place.entries();
  if (inner.length > 0) return inner.flatMap(leaves);
  return place.path.length === 0 ? [] : [place.path.join('.')];
}
