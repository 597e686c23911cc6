import { setTimeout as sleep } from 'node:timers/promises';
import { plexusError, routingContracts as routing } from '@plexus/contracts';
import type { MethodCall, MethodHandlers } from './method-context.js';

/** Clients wait 30 s for an answer; what takes longer is answered as on its way. */
const WAIT_MS = 20_000;
const POLL_MS = 150;

/** Messages to chat channels. */
export const channelMethods: Pick<MethodHandlers, 'send'> = {
  send: async ({ to, idempotencyKey, message, channel, mediaUrl, mediaUrls = [], ...rest }, call) => {
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
  },
};

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
