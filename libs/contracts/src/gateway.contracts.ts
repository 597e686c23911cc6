import { z } from 'zod';
import { SessionKey, UserId } from './common.js';
import { defineLive } from './define.js';

const domain = 'gateway';

const GatewayId = z.string().min(1).max(64);
const AskId = z.string().min(1).max(64);

/** Hints between gateways about who still looks at a run. Losing one costs at most that a run goes on which nobody watches. */

export const watcherLeft = defineLive({
  domain,
  name: 'watcher-left',
  version: 1,
  key: ['user'],
  summary:
    'The last watcher of this kind that a user had on one gateway is gone. The gateway that accepted a run of that user asks the others, after a grace, whether anybody is left.',
  data: z.object({
    gateway: GatewayId,
    user: UserId,
    kind: z.enum(['stream', 'socket']).describe('An event stream of one session, or a client socket, which sees all of them.'),
    owner: UserId.optional().describe('Owner of the session; with `stream`.'),
    sessionKey: SessionKey.optional().describe('With `stream`.'),
  }),
  examples: [{ gateway: 'gw-1', user: 'me', kind: 'stream', owner: 'me', sessionKey: 'agent:main:main' }],
});

export const watchAsked = defineLive({
  domain,
  name: 'watch-asked',
  version: 1,
  key: ['ask'],
  summary: 'Does anybody watch this session for this user? Every gateway answers.',
  data: z.object({ ask: AskId, gateway: GatewayId.describe('Who asks.'), user: UserId, owner: UserId, sessionKey: SessionKey }),
  examples: [{ ask: '01jd2x3y4z5a6b7c8d9e0f1g2h', gateway: 'gw-1', user: 'me', owner: 'me', sessionKey: 'agent:main:main' }],
});

export const watchAnswered = defineLive({
  domain,
  name: 'watch-answered',
  version: 1,
  key: ['asker'],
  summary: 'The answer of one gateway to `watch-asked`.',
  data: z.object({ ask: AskId, gateway: GatewayId.describe('Who answers.'), watched: z.boolean() }),
  examples: [{ ask: '01jd2x3y4z5a6b7c8d9e0f1g2h', gateway: 'gw-2', watched: false }],
});
