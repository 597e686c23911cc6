import { z } from 'zod';
import { SessionKey, UserId } from './common.js';
import { defineLive } from './define.js';

/** What gateways tell each other about nodes: devices that lend their abilities, each connected to one of them. */

const domain = 'gateway';

const GatewayId = z.string().min(1).max(64);
const AskId = z.string().min(1).max(64);

export const nodeInvoke = defineLive({
  domain,
  name: 'node-invoke',
  version: 1,
  key: ['gateway'],
  summary: 'Asks the gateway that holds a node to have it run a command. Answered by `node-invoked`; the asker waits no longer than `timeoutMs`.',
  data: z.object({
    ask: AskId,
    gateway: GatewayId.describe('Who asks.'),
    user: UserId.describe('Whose node it is.'),
    nodeId: z.string().min(1).max(256),
    command: z.string().min(1).max(256),
    paramsJSON: z.string().max(700_000).optional(),
    timeoutMs: z.number().int().min(1),
    idempotencyKey: z.string().min(1).max(256),
  }),
  examples: [
    { ask: '01jd2x3y4z5a6b7c8d9e0f1g2h', gateway: 'gw-1', user: 'me', nodeId: 'n1', command: 'system.which', timeoutMs: 30_000, idempotencyKey: 'k1' },
  ],
});

export const nodeInvokeCancelled = defineLive({
  domain,
  name: 'node-invoke-cancelled',
  version: 1,
  key: ['gateway'],
  summary: 'Nobody waits for the answer to `node-invoke` any more.',
  data: z.object({ ask: AskId }),
  examples: [{ ask: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const nodeInvoked = defineLive({
  domain,
  name: 'node-invoked',
  version: 1,
  key: ['gateway'],
  summary: 'What became of a `node-invoke`; addressed to the gateway that asked.',
  data: z.object({
    ask: AskId,
    ok: z.boolean(),
    payloadJSON: z.string().max(900_000).optional(),
    error: z
      .object({ code: z.string().max(128), message: z.string().max(4_000) })
      .optional()
      .describe('What the node said.'),
    failure: z
      .enum(['NOT_CONNECTED', 'TIMEOUT', 'QUEUE_FULL', 'CANCELLED', 'PAYLOAD_TOO_LARGE', 'INTERNAL'])
      .optional()
      .describe('The node did not answer; `error.message` says more.'),
  }),
  examples: [{ ask: '01jd2x3y4z5a6b7c8d9e0f1g2h', ok: true, payloadJSON: '{"path":"/bin/sh"}' }],
});

export const nodeEvent = defineLive({
  domain,
  name: 'node-event',
  version: 1,
  key: ['gateway'],
  summary: 'An event for nodes, wherever they are connected: those subscribed to a session, those subscribed to any, or all of the tenant.',
  data: z.object({
    gateway: GatewayId.describe('Who sent it; it has served its own nodes already.'),
    audience: z.enum(['session', 'subscribed', 'connected']),
    owner: UserId.optional().describe('With `session`.'),
    sessionKey: SessionKey.optional().describe('With `session`.'),
    event: z.string().min(1).max(128),
    payloadJSON: z.string().max(900_000),
  }),
  examples: [{ gateway: 'gw-1', audience: 'connected', event: 'plugin.ping', payloadJSON: '{}' }],
});
