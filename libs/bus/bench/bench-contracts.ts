import { type ConsumerDefinition, defineEvent, defineRpc, type StreamDefinition } from '@plexus/contracts';
import { z } from 'zod';

/** About 200 bytes each way, as a route lookup has. */
const data = z.object({
  sessionKey: z.string().min(1).max(512),
  channel: z.string().min(1).max(64),
  accountId: z.string().max(128),
  peer: z.object({ kind: z.enum(['direct', 'group', 'channel']), id: z.string().max(256) }),
  text: z.string().max(4_000),
});
const response = z.object({ agentId: z.string(), sessionKey: z.string(), matchedBy: z.string(), mainSessionKey: z.string(), length: z.number().int() });

export const request: z.infer<typeof data> = {
  sessionKey: 'agent:main:telegram:direct:4711',
  channel: 'telegram',
  accountId: 'default',
  peer: { kind: 'direct', id: '4711' },
  text: 'What is the state of the Hamburg shipment, and who signed for it this morning?',
};

const rpc = (name: string) => defineRpc({ domain: 'bench', name, version: 1, summary: 'Benchmark.', data, response, examples: [request], timeoutMs: 10_000 });

export const typedRpc = rpc('typed');
export const nestRpc = rpc('nest');
export const RAW_SUBJECT = 'bench.raw';
export const DEFAULT_PATTERN = 'bench.default';

/** What every variant's handler does: cheap, so that the way to it is what is measured. */
export function reply(asked: z.infer<typeof data>): z.infer<typeof response> {
  return { agentId: 'main', sessionKey: asked.sessionKey, matchedBy: 'binding.peer', mainSessionKey: 'agent:main:main', length: asked.text.length };
}

export const appended = defineEvent({
  domain: 'bench',
  name: 'appended',
  version: 1,
  key: ['thingId'],
  summary: 'Benchmark.',
  data,
  examples: [request],
});

export const STREAM: StreamDefinition = {
  name: 'PLEXUS_EVT_BENCH',
  subjects: ['plexus.evt.*.bench.>'],
  retention: 'limits',
  discard: 'old',
  maxAgeMs: 0,
  maxBytes: 256 * 1024 * 1024,
  maxMessageBytes: 1024 * 1024,
  duplicateWindowMs: 1_000,
  summary: 'Benchmark.',
};

export const CONSUMER: ConsumerDefinition = {
  stream: STREAM.name,
  name: 'bench-appended',
  service: 'bench',
  filter: 'plexus.evt.*.bench.>',
  ackWaitMs: 10_000,
  maxDeliver: -1,
  maxAckPending: 2_000,
  deliver: 'all',
  summary: 'Benchmark.',
};

/** Tokens of the size that real ones have; verifying one that was seen before is a look into a map, as in service-kit. */
const TOKEN = `eyJhbGciOiJFZERTQSIsImtpZCI6ImJlbmNoIn0.${'x'.repeat(280)}.${'y'.repeat(86)}`;
const PRINCIPAL = { tenant: 'acme', user: 'ada', role: 'user', scopes: ['operator.write'], credentialId: 'c1' } as const;
const verified = new Map([[TOKEN, { ...PRINCIPAL, scopes: [...PRINCIPAL.scopes] }]]);

export const identity = {
  mint: async () => TOKEN,
  verify: async (token: string) => {
    const principal = verified.get(token) ?? (token === 'short' ? [...verified.values()][0] : undefined);
    if (principal === undefined) throw new Error('unknown token');
    return principal;
  },
};
export const principal = { ...PRINCIPAL, scopes: [...PRINCIPAL.scopes] };
