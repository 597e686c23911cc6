import type { Bus } from '@plexus/bus';
import { buildSubject, encodeToken, HEADERS } from '@plexus/contracts';
import type { OutboxMessage } from '@plexus/database';
import type { Outgoing } from '../../application/ports.js';
import type { EncodeOutgoing } from '../postgres/postgres-transaction.js';

const MAX_REASON = 500;

/** Facts become CloudEvents whose message id follows from their own id: written twice, they are one message. Dead letters go to where those are kept. */
export function encodeOutgoingWith(bus: Pick<Bus, 'encodeEvent'>): EncodeOutgoing {
  return ({ contract, parked, ...event }) => {
    const encoded = bus.encodeEvent(contract, event);
    return parked === undefined ? encoded : deadLetter(encoded, event, contract.domain, parked);
  };
}

/** The bytes of the command as `plexus dlq redrive` will publish them to the subject of the command. */
function deadLetter(
  command: OutboxMessage,
  { tenant, key }: Pick<Outgoing, 'tenant' | 'key'>,
  domain: string,
  parked: NonNullable<Outgoing['parked']>,
): OutboxMessage {
  const { consumer, code, reason, attempts } = parked;
  return {
    subject: buildSubject({ kind: 'dlq', tenant, domain, name: encodeToken(consumer), version: 1, key }),
    msgId: `dlq:${command.msgId}`,
    headers: {
      ...command.headers,
      [HEADERS.dlqConsumer]: consumer,
      [HEADERS.dlqCode]: code,
      [HEADERS.dlqReason]: headerText(reason),
      [HEADERS.dlqAttempts]: String(attempts),
      [HEADERS.dlqSubject]: command.subject,
      // It never was in the queue under a sequence of its own: the body travels with the letter.
      [HEADERS.dlqStream]: 'PLEXUS_CMD_CHANNEL',
      [HEADERS.dlqSequence]: '0',
      [HEADERS.dlqTime]: new Date().toISOString(),
    },
    body: command.body,
  };
}

/** Headers are one line of printable ASCII. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_REASON);
}
