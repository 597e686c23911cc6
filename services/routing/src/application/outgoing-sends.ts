import { channelContracts, type InputOf, routingContracts } from '@plexus/contracts';
import type { CircuitTransition } from '@plexus/routing-core';
import type { Outgoing } from './ports.js';
import type { SendDraft } from './send-ports.js';

/** One attempt for the adapter of the channel. */
export function sendCommand(send: SendDraft, { attempt, accountId, deadlineAt }: { attempt: number; accountId: string; deadlineAt?: Date }): Outgoing {
  const { sendId, route, text, attachments, silent, sessionKey, runId } = send;
  const { to, chatKind, threadId, replyToId } = route;
  const optional = { chatKind, threadId, replyToId, silent, sessionKey, runId, deadlineAt: deadlineAt?.toISOString() };
  return {
    contract: channelContracts.sendCommandFor(route.channel),
    tenant: send.tenant,
    key: [accountId],
    id: `send:${sendId}:${attempt}`,
    data: {
      ...{ sendId, attempt, account: accountId, to, text },
      ...(attachments.length === 0 ? {} : { attachments: [...attachments] }),
      ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<
        InputOf<ReturnType<typeof channelContracts.sendCommandFor>>
      >),
    },
  };
}

const BREAKER_EVENTS = {
  opened: routingContracts.breakerOpened,
  'half-opened': routingContracts.breakerHalfOpened,
  closed: routingContracts.breakerClosed,
} as const satisfies Record<CircuitTransition, unknown>;

/** The breaker of an account changed its state. */
export function breakerChanged(tenant: string, transition: CircuitTransition, data: InputOf<typeof routingContracts.breakerOpened>): Outgoing {
  const { channel, account, at, failures } = data;
  return { contract: BREAKER_EVENTS[transition], tenant, key: [account], id: `breaker-${transition}:${channel}:${account}:${at}:${failures}`, data };
}
