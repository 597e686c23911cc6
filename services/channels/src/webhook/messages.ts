import { channelContracts } from '@plexus/contracts';
import { z } from 'zod';
import type { OutgoingPart, ReceivedMessage } from '../kit/channel-adapter.js';

/** What others POST to us. Unknown keys are ignored. */
export const IncomingMessage = channelContracts.messageReceived.data
  .omit({ account: true, messageId: true, receivedAt: true })
  .extend({
    messageId: z.string().min(1).max(200).optional().describe('Default: the `webhook-id` of the request.'),
    receivedAt: z.iso.datetime({ offset: true }).optional(),
    text: z.string().min(1).max(100_000),
  })
  // Sessions of direct messages belong to the person, answers go to the chat: with two ids, what we send could not be told to be theirs.
  .refine(({ chat, sender }) => chat.kind !== 'dm' || chat.id === sender.id, {
    error: 'in a direct message chat.id must be the id of the sender',
    path: ['chat', 'id'],
  });

/** The message in our words. */
export function receivedMessage(message: z.output<typeof IncomingMessage>, webhookId: string, nowMs: number): ReceivedMessage {
  const { messageId = webhookId, receivedAt = new Date(nowMs).toISOString(), ...rest } = message;
  return { ...rest, messageId, receivedAt };
}

/** What we POST to others. */
export function outgoingBody(account: string, part: OutgoingPart): Buffer {
  const { idempotencyKey, sendId, index, count, to, chatKind, threadId, replyToId, text, attachments, silent, sessionKey, runId } = part;
  const body = {
    type: 'message.send',
    account,
    idempotencyKey,
    sendId,
    part: { index, count },
    to,
    chatKind,
    threadId,
    replyToId,
    text,
    attachments: attachments.length > 0 ? attachments : undefined,
    silent: silent || undefined,
    sessionKey,
    runId,
  };
  return Buffer.from(JSON.stringify(body));
}
