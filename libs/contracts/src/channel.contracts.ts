import { z } from 'zod';
import { Instant, SessionKey } from './common.js';
import { type CommandContract, defineCommand, defineInbound, type InboundContract } from './define.js';
import { buildSubject } from './subject.js';

const domain = 'channel';

/**
 * Adapters that come with Plexus. The name is everything: the channel that people see, the source token of its events, the command it
 * works on (`channel.send-<adapter>`), its consumer and NATS role (`channel-<adapter>`) and the folder of its process.
 */
export const CHANNEL_ADAPTERS = ['webhook', 'telegram', 'slack', 'upstream'] as const;
export type ChannelAdapter = (typeof CHANNEL_ADAPTERS)[number];

/** Account of an adapter as the tenant's configuration names it. */
export const ChannelAccountId = z.string().min(1).max(64);
const PlatformId = z.string().min(1).max(256);

/** What kind of place a message was written in: between two, among invited people, or in the open. */
export const ChatKind = z.enum(['dm', 'group', 'channel']);
export type ChatKind = z.infer<typeof ChatKind>;

/** A file of a message, by reference: nothing binary rides in events. */
export const ChannelAttachment = z.object({
  kind: z.enum(['image', 'audio', 'video', 'file']),
  url: z.string().max(2_048).optional().describe('Where the adapter fetches or names it; may need the credentials of the account.'),
  id: PlatformId.optional().describe('Reference of the platform, for those that hand out no URL.'),
  name: z.string().max(256).optional(),
  mimeType: z.string().max(128).optional(),
  sizeBytes: z.number().int().min(0).optional(),
});
export type ChannelAttachment = z.infer<typeof ChannelAttachment>;

/** Who wrote a message, with the ids of the platform. */
export const ChannelSender = z.object({ id: PlatformId, name: z.string().max(256).optional(), username: z.string().max(256).optional() });

/** Where it was written. `id` is what an answer's `to` takes. */
export const ChannelChat = z.object({ kind: ChatKind, id: PlatformId, title: z.string().max(256).optional() });

export const messageReceived = defineInbound({
  domain,
  name: 'message-received',
  version: 1,
  key: ['account'],
  summary:
    'Somebody wrote to one of our accounts. Published by the adapter under its own source token before the platform is told that the message arrived; the CloudEvents id is the same for every repeat of the same message. Routing reads it and accepts it only from an adapter that is configured for that account.',
  data: z.object({
    account: ChannelAccountId,
    messageId: PlatformId,
    chat: ChannelChat,
    parent: z.object({ kind: ChatKind, id: PlatformId }).optional().describe('The place around it, for platforms in which threads are places of their own.'),
    guildId: PlatformId.optional(),
    teamId: PlatformId.optional(),
    roles: z.array(PlatformId).max(100).optional().describe('Roles of the sender in the guild.'),
    threadId: PlatformId.optional().describe('Thread or topic within the chat.'),
    sender: ChannelSender,
    text: z.string().max(100_000),
    attachments: z.array(ChannelAttachment).max(50).optional(),
    replyToId: PlatformId.optional(),
    mentionsBot: z.boolean().optional().describe('True when the account itself is addressed; absent where the adapter cannot tell.'),
    receivedAt: Instant.describe('When it was written, by the clock of the platform where it says so.'),
    raw: z.record(z.string(), z.unknown()).optional().describe('Platform fields worth keeping, at most 16 KiB; nothing depends on them.'),
  }),
  examples: [
    {
      account: 'support-bot',
      messageId: '4711',
      chat: { kind: 'group', id: '-1001234', title: 'Operations' },
      threadId: '7',
      sender: { id: '99', name: 'Ada', username: 'ada' },
      text: '@support_bot is the build green?',
      mentionsBot: true,
      receivedAt: '2026-11-20T08:00:00.000Z',
    },
  ],
});

/**
 * Codes that mean the same for every adapter. `target`: the platform refuses the chat or person (blocked the bot, left, not a member), and nothing is wrong
 * with the account. `auth`: it refuses the account's credentials or rights; only a person can help.
 */
export const SEND_FAILURES = { target: 'TARGET_REFUSED', auth: 'AUTH_FAILED' } as const;

/** Why a send failed, in the words of the platform; routing decides from it whether another account may take over. */
export const SendError = z.object({
  message: z.string().max(1_000),
  code: z
    .string()
    .max(128)
    .optional()
    .describe(
      "`TARGET_REFUSED`: the chat or person does not take messages of this account, which itself is fine; `AUTH_FAILED`: the credentials or rights of the account are refused. Both stand in the place of the platform's code, which is in the message, and count before the status. Else the code of the platform or of the network (`ECONNRESET`, `msg_too_long`), or ours (`ACCOUNT_DOWN`, `ACCOUNT_UNKNOWN`, `RATE_LIMITED`, `DEADLINE_EXCEEDED`, `BAD_TARGET`).",
    ),
  status: z.number().int().min(100).max(599).optional().describe('HTTP status, where there was one.'),
  retryAfterMs: z.number().int().min(0).optional().describe('The platform asks to wait so long.'),
});
export type SendError = z.infer<typeof SendError>;

const SendId = z.string().min(1).max(128);
const Attempt = z.number().int().min(1).max(1_000);

export const sendSucceeded = defineInbound({
  domain,
  name: 'send-succeeded',
  version: 1,
  key: ['sendId'],
  summary: 'The platform took a message. One outcome per (sendId, attempt); a repeated command yields the same outcome again.',
  data: z.object({
    sendId: SendId,
    account: ChannelAccountId,
    attempt: Attempt,
    messageId: PlatformId.optional().describe('Of the first part, when the message was too long for one.'),
    at: Instant,
  }),
  examples: [{ sendId: 'snd-1', account: 'support-bot', attempt: 1, messageId: '4712', at: '2026-11-20T08:00:02.000Z' }],
});

export const sendFailed = defineInbound({
  domain,
  name: 'send-failed',
  version: 1,
  key: ['sendId'],
  summary: 'An attempt to send failed and the adapter will not repeat it by itself: retries, failover and dead letters are the business of routing.',
  data: z.object({ sendId: SendId, account: ChannelAccountId, attempt: Attempt, error: SendError, at: Instant }),
  examples: [
    {
      sendId: 'snd-1',
      account: 'support-bot',
      attempt: 1,
      error: { message: 'Too Many Requests: retry after 3', code: '429', status: 429, retryAfterMs: 3_000 },
      at: '2026-11-20T08:00:02.000Z',
    },
  ],
});

export const accountState = defineInbound({
  domain,
  name: 'account-state',
  version: 1,
  key: ['account'],
  summary: 'The connection of an account changed: `up` works, `degraded` is being retried, `down` needs a person (settings or credentials are wrong).',
  data: z.object({ account: ChannelAccountId, state: z.enum(['up', 'degraded', 'down']), reason: z.string().max(500).optional(), at: Instant }),
  examples: [{ account: 'support-bot', state: 'degraded', reason: 'getUpdates: 502 Bad Gateway', at: '2026-11-20T08:00:00.000Z' }],
});

/** One message to hand to a platform. */
export const ChannelSend = z.object({
  sendId: SendId.describe('One message of ours, whatever the number of attempts and accounts.'),
  attempt: Attempt.describe('Counted per sendId over all accounts. The adapter is idempotent per (sendId, attempt).'),
  account: ChannelAccountId,
  to: PlatformId.describe('Chat of the platform, as `chat.id` of an inbound message names it.'),
  chatKind: ChatKind.optional(),
  threadId: PlatformId.optional(),
  replyToId: PlatformId.optional(),
  text: z.string().max(200_000).describe('Longer than the platform allows: sent in parts, cut at paragraphs, lines or words.'),
  attachments: z.array(ChannelAttachment).max(20).optional(),
  silent: z.boolean().optional().describe('Without a notification, where the platform can.'),
  sessionKey: SessionKey.optional(),
  runId: z.string().min(1).max(256).optional(),
  deadlineAt: Instant.optional().describe('Not tried any more after this; the outcome is then `DEADLINE_EXCEEDED`.'),
});
export type ChannelSend = z.infer<typeof ChannelSend>;

/** The command that an adapter works on. `cmd channel.send-<adapter>`, key = account; the outcome comes back as an event of that adapter. */
export function sendCommandFor(adapter: string): CommandContract<typeof ChannelSend> {
  return SEND_COMMANDS.get(adapter) ?? defineSend(adapter);
}

function defineSend(adapter: string): CommandContract<typeof ChannelSend> {
  return defineCommand({
    domain,
    name: `send-${adapter}`,
    version: 1,
    key: ['account'],
    summary: `Hand one message to ${adapter}. Answered by one send-succeeded or send-failed of source ${adapter} per (sendId, attempt).`,
    data: ChannelSend,
    examples: [{ sendId: 'snd-1', attempt: 1, account: 'support-bot', to: '-1001234', chatKind: 'group', threadId: '7', text: 'Green since 07:58.' }],
  });
}

const SEND_COMMANDS = new Map<string, CommandContract<typeof ChannelSend>>(CHANNEL_ADAPTERS.map((adapter) => [adapter, defineSend(adapter)]));

export const sendWebhook = sendCommandFor('webhook');
export const sendTelegram = sendCommandFor('telegram');
export const sendSlack = sendCommandFor('slack');
export const sendUpstream = sendCommandFor('upstream');

/** An inbound contract as one adapter may publish it: its pattern, and so the NATS permission, names that adapter alone. */
export function fromAdapter<C extends InboundContract>(contract: C, adapter: string): C {
  return {
    ...contract,
    subject: (tenant: string, ...key: string[]) => buildSubject({ kind: 'in', tenant, domain: adapter, name: contract.name, version: contract.version, key }),
    pattern: (tenant = '*') => `plexus.in.${tenant}.${adapter}.${contract.name}.v${contract.version}.>`,
  };
}
