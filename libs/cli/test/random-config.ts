import fc from 'fast-check';

/** Documents as people and programs write them: valid ones, ones with a mistake, and ones that are nothing at all. */

const agentId = fc.stringMatching(/^[a-z][a-z0-9-]{0,6}$/);
const channel = fc.constantFrom('telegram', 'slack', 'webhook');
const text = fc.string({ maxLength: 20 });

const valid = fc.uniqueArray(agentId, { minLength: 1, maxLength: 6 }).chain((ids) =>
  fc.record(
    {
      agents: fc.constant({
        list: ids.map((id, index) => ({ id, ...(index === 0 && { default: true }), ...(index % 2 === 1 && { systemPrompt: `I am ${id}.` }) })),
      }),
      bindings: fc.array(
        fc.record({
          agentId: fc.constantFrom(...ids),
          match: fc.record({ channel, peer: fc.record({ kind: fc.constantFrom('dm', 'group'), id: fc.stringMatching(/^[0-9]{1,4}$/) }) }),
        }),
        { maxLength: 5 },
      ),
      session: fc.record(
        { dmScope: fc.constantFrom('main', 'per-peer', 'per-channel-peer'), mainKey: fc.stringMatching(/^[a-z]{1,8}$/) },
        { requiredKeys: [] },
      ),
      hooks: fc.record({ enabled: fc.boolean() }),
      cron: fc.record({ jobs: fc.constant([{ id: 'daily', cron: '0 9 * * *', message: 'Good morning' }]) }),
      models: fc.record({ providers: fc.constant({ acme: { baseUrl: 'https://models.test/v1', apiKey: { env: 'ACME_KEY' }, models: [{ id: 'small' }] } }) }),
      gateway: fc.record({ reload: fc.record({ mode: fc.constantFrom('hot', 'hybrid'), debounceMs: fc.constantFrom(0, 50, 300) }) }),
      meta: fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), text, { maxKeys: 2 }),
      defaultOwner: fc.constantFrom('me', 'ada'),
    },
    { requiredKeys: ['agents'] },
  ),
);

/** One thing in an otherwise valid document that may not be there. */
const mistake = fc.constantFrom<(document: Record<string, unknown>) => unknown>(
  (document) => ({ ...document, surprise: 1 }),
  (document) => ({ ...document, agents: { list: [{ id: 'Not Legal' }] } }),
  (document) => ({ ...document, agents: { list: [{ id: 'a' }, { id: 'a' }] } }),
  (document) => ({ ...document, bindings: [{ agentId: 'nobody-here', match: { channel: 'telegram' } }] }),
  (document) => ({ ...document, session: { dmScope: 'everybody' } }),
  (document) => ({ ...document, cron: { jobs: [{ id: 'x', cron: 'whenever', message: 'm' }] } }),
  (document) => ({ ...document, models: { providers: { p: { baseUrl: 'not an address', apiKey: 'sk-plain-0123456789abcdef' } } } }),
  (document) => ({ ...document, gateway: { reload: { mode: 'sometimes' } } }),
  (document) => ({ ...document, defaultOwner: 7 }),
  () => [],
  () => null,
);

/** What is sent: a whole document, a patch, or bytes; `legal`: whether it must be accepted. */
export type Attempt =
  | { readonly kind: 'document'; readonly body: unknown; readonly legal: boolean }
  | { readonly kind: 'patch'; readonly body: Record<string, unknown> }
  | { readonly kind: 'bytes'; readonly body: string };

const attempt: fc.Arbitrary<Attempt> = fc.oneof(
  { weight: 4, arbitrary: valid.map((body): Attempt => ({ kind: 'document', body, legal: true })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(valid, mistake)
      .map(([document, spoil]): Attempt => ({ kind: 'document', body: spoil(document as Record<string, unknown>), legal: false })),
  },
  {
    weight: 3,
    arbitrary: fc
      .dictionary(
        fc.constantFrom('session', 'hooks', 'meta', 'defaultOwner', 'bindings', 'surprise', 'agents'),
        fc.oneof(fc.constant(null), fc.jsonValue({ maxDepth: 2 })),
        { maxKeys: 3 },
      )
      .map((body): Attempt => ({ kind: 'patch', body: body as Record<string, unknown> })),
  },
  {
    weight: 1,
    arbitrary: fc
      .oneof(fc.string({ maxLength: 60 }), fc.json({ maxDepth: 3 }), fc.constant('{agents: {list: [{id: "a"'))
      .map((body): Attempt => ({ kind: 'bytes', body })),
  },
);

/** The same attempts for the same seed. */
export function attempts(count: number, seed: number): Attempt[] {
  return fc.sample(attempt, { numRuns: count, seed });
}
