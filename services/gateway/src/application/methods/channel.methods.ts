import { setTimeout as sleep } from 'node:timers/promises';
import type { MethodParams } from '@plexus/client-protocol';
import { plexusError, routingContracts as routing } from '@plexus/contracts';
import { channelsStatus } from '../../domain/channels-status.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

/** Clients wait 30 s for an answer; what takes longer is answered as on its way. */
const WAIT_MS = 20_000;
const POLL_MS = 150;

/** Messages to chat channels, and how these are. */
export const channelMethods: Pick<MethodHandlers, 'send' | 'message.action' | 'channels.status'> = {
  send: (params, call) => sendOver(params, call),

  /** What `openclaw message …` asks for. Sending is what every channel can; polls, reactions and the like are no business of this mesh. */
  'message.action': ({ channel, action, params, reply, idempotencyKey, accountId, sessionKey, agentId }, call) => {
    if (action !== 'send')
      throw plexusError('INVALID_REQUEST', {
        message: `channels of this gateway know the action send, not ${action}`,
        details: { issues: [{ path: '/action' }], channel, action },
      });
    const to = textOf(params, 'target', 'to');
    if (to === undefined)
      throw plexusError('INVALID_REQUEST', { message: 'the action send needs params.target', details: { issues: [{ path: '/params/target' }] } });
    const [message, mediaUrl] = [textOf(params, 'message', 'text', 'content'), textOf(params, 'mediaUrl', 'media')];
    const [threadId, replyToId] = [textOf(params, 'threadId'), reply?.replyToId ?? textOf(params, 'replyTo')];
    const optional = Object.fromEntries(
      Object.entries({ message, mediaUrl, threadId, replyToId, accountId, sessionKey, agentId }).filter(([, value]) => value !== undefined),
    );
    return sendOver({ channel, to, idempotencyKey, ...optional }, call);
  },

  'channels.status': async ({ channel }, call) => {
    const { accounts } = await call.ask(routing.channelHealth, channel === undefined ? {} : { channel });
    return channelsStatus(accounts, call.services.now());
  },
};

/** The first of these that is a text with something in it. */
function textOf(params: Readonly<Record<string, unknown>>, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = params[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
  }
  return undefined;
}

async function sendOver({ to, idempotencyKey, message, channel, mediaUrl, mediaUrls = [], ...rest }: MethodParams<'send'>, call: MethodCall): Promise<object> {
  const urls = mediaUrl === undefined ? mediaUrls : [mediaUrl, ...mediaUrls];
  const optional = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Partial<typeof rest>;
  const { send, cached } = await call.ask(routing.sendMessage, {
    ...{ channel, to, idempotencyKey },
    ...(message === undefined ? {} : { text: message }),
    ...(urls.length === 0 ? {} : { attachments: urls.map((url) => ({ kind: 'file', url })) }),
    ...(optional as object),
  });
  if (send === undefined) throw plexusError('INTERNAL');
  const outcome = await outcomeOf(send, call);
  if (outcome.status === 'failed') {
    throw plexusError('DELIVERY_FAILED', { message: outcome.error?.message ?? 'the channel did not take the message', details: { sendId: outcome.sendId } });
  }
  const { sendId, status, accountId, messageId, sessionKey } = outcome;
  const shown = { runId: idempotencyKey, sendId, status, channel: outcome.channel, accountId, to: outcome.to, cached };
  return { ...shown, ...(messageId === undefined ? {} : { messageId }), ...(sessionKey === undefined ? {} : { sessionKey }) };
}

/** The send once it has ended, or as it is when the time is over or the client is gone. */
async function outcomeOf(send: routing.SendSummary, call: MethodCall): Promise<routing.SendSummary> {
  const until = performance.now() + WAIT_MS;
  let current = send;
  while (current.status !== 'sent' && current.status !== 'failed' && performance.now() < until && !call.signal.aborted) {
    await sleep(POLL_MS);
    current = (await call.ask(routing.getSend, { sendId: send.sendId })).send ?? current;
  }
  return current;
}
