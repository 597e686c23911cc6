import type { Bus } from '@plexus/bus';
import type { EncodeOutgoing } from '../postgres/postgres-transaction.js';

/** Facts become CloudEvents whose message id follows from their own id: written twice, they are one message. */
export function encodeOutgoingWith(bus: Pick<Bus, 'encodeEvent'>): EncodeOutgoing {
  return ({ contract, ...event }) => bus.encodeEvent(contract, event);
}
