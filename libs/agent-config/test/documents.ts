import fc from 'fast-check';
import { parseTenantConfig, type TenantConfig, type TenantConfigInput } from '../src/index.js';

/** A valid configuration, or a failure that lists why it is none. For tests only. */
export function configOf(document: TenantConfigInput): TenantConfig {
  const parsed = parseTenantConfig(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error, null, 2));
  return parsed.value;
}

/** What is nothing but `${…}` is meant as a reference, and refused when it names no variable. */
const words = (maxLength: number) => fc.string({ maxLength }).filter((text) => !/^\$\{[^}]*\}$/.test(text));
const id = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const toolName = fc.constantFrom('exec', 'bash', 'read', 'web_*', '*', 'group:fs', 'group:web', 'image', 'browser', 'Session_Status', 'plug_one');
const toolLists = { allow: fc.array(toolName, { maxLength: 4 }), deny: fc.array(toolName, { maxLength: 3 }), alsoAllow: fc.array(toolName, { maxLength: 2 }) };
const agentTools = fc.record(
  { ...toolLists, profile: fc.constantFrom('minimal' as const, 'coding' as const, 'messaging' as const, 'full' as const) },
  { requiredKeys: [] },
);
const duration = fc.integer({ min: 0, max: 10 * 86_400_000 });
const sandbox = fc.record(
  {
    scope: fc.constantFrom('user' as const, 'session' as const, 'agent' as const, 'shared' as const),
    perSession: fc.boolean(),
    prune: fc.record({ idleMs: duration, maxAgeMs: duration }, { requiredKeys: [] }),
    docker: fc.record(
      {
        image: fc.constantFrom('a:1', 'b:2'),
        env: fc.dictionary(fc.constantFrom('LANG', 'TZ', 'HOME'), fc.constantFrom('x', 'y')),
        binds: fc.array(fc.constantFrom('/a:/a', '/b:/b')),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const heartbeat = fc.record(
  { everyMs: duration, target: fc.constantFrom('last', 'none', 'Slack', 'telegram'), message: words(20), enabled: fc.boolean() },
  { requiredKeys: [] },
);
const queue = fc.record(
  {
    mode: fc.constantFrom('collect' as const, 'steer' as const, 'followup' as const, 'interrupt' as const),
    cap: fc.integer({ min: 1, max: 50 }),
    debounceMs: fc.integer({ min: 0, max: 5_000 }),
  },
  { requiredKeys: [] },
);
const account = fc.record(
  {
    dmPolicy: fc.constantFrom('pairing' as const, 'allowlist' as const, 'open' as const, 'disabled' as const),
    allowFrom: fc.array(fc.constantFrom('42', '*', 'anna')),
    enabled: fc.boolean(),
    settings: fc.constantFrom({}, { botToken: `\${BOT_TOKEN}` }, { url: 'https://example.org', token: { file: '/run/secrets/t' } }),
  },
  { requiredKeys: [] },
);

/** Valid documents that use most sections. */
export const validDocument: fc.Arbitrary<TenantConfigInput> = fc.uniqueArray(id, { minLength: 1, maxLength: 4 }).chain((ids) =>
  fc.record(
    {
      agents: fc.record(
        {
          defaults: fc.record({ sandbox, tools: agentTools, heartbeat, queue, model: fc.constantFrom('main/large', 'small') }, { requiredKeys: [] }),
          list: fc.tuple(
            ...ids.map((agentId) => fc.record({ id: fc.constant(agentId), sandbox, tools: agentTools, heartbeat, queue }, { requiredKeys: ['id'] })),
          ),
        },
        { requiredKeys: ['list'] },
      ),
      bindings: fc.array(
        fc.record({
          agentId: fc.constantFrom(...ids),
          match: fc.record({ channel: fc.constantFrom('telegram', 'slack'), accountId: fc.constantFrom('*', 'a', 'b') }, { requiredKeys: ['channel'] }),
        }),
        { maxLength: 4 },
      ),
      session: fc.record({ dmScope: fc.constantFrom('main' as const, 'per-peer' as const), mainKey: fc.constantFrom('main', 'home') }, { requiredKeys: [] }),
      channels: fc.dictionary(fc.constantFrom('telegram', 'slack', 'webhook'), fc.record({ accounts: fc.dictionary(id, account, { maxKeys: 3 }) })),
      messages: fc.record({ queue }),
      tools: agentTools,
      models: fc.record(
        {
          providers: fc.constant({ main: { baseUrl: 'https://models.example/v1', apiKey: `\${MODEL_KEY}`, models: [{ id: 'large' }] } }),
          default: fc.constant('main/large'),
        },
        { requiredKeys: [] },
      ),
      cron: fc.record({
        jobs: fc.uniqueArray(fc.record({ id, cron: fc.constantFrom('0 9 * * 1-5', '*/5 * * * *'), message: fc.constant('go') }), {
          selector: (job) => job.id,
          maxLength: 3,
        }),
      }),
      lanes: fc.record({ main: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: [] }),
      meta: fc.dictionary(fc.constantFrom('by', 'at'), words(10)),
    },
    { requiredKeys: ['agents'] },
  ),
) as fc.Arbitrary<TenantConfigInput>;

/** Puts something unexpected at a random place of a document. */
export const mutation: fc.Arbitrary<(document: unknown) => unknown> = fc
  .record({
    seed: fc.nat(),
    kind: fc.constantFrom('drop', 'replace', 'add' as const),
    value: fc.jsonValue({ maxDepth: 3 }),
    key: fc.constantFrom('agnets', 'toolz', 'token', '', 'a.b', 'id', 'list', 'default', '0'),
  })
  .map(({ seed, kind, value, key }) => (document: unknown) => {
    const copy = structuredClone(document);
    const places: [Record<string, unknown>, string][] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const name of Object.keys(node)) {
        places.push([node as Record<string, unknown>, name]);
        visit((node as Record<string, unknown>)[name]);
      }
    };
    visit(copy);
    const chosen = places[seed % Math.max(1, places.length)];
    if (chosen === undefined) return value;
    const [owner, name] = chosen;
    if (kind === 'drop') delete owner[name];
    else if (kind === 'replace') owner[name] = value;
    else owner[Array.isArray(owner) ? name : key] = value;
    return copy;
  });
