import type { Ending, Turn } from '../turn.js';

/** What is kept from a user leaves its record; the policy may want it in the inbox as well, without interrupting. */
export function suppressed(turn: Turn, reason: 'silenced' | 'inhibited' | 'collapsed', deliveryId?: string): Ending {
  if (turn.policy.body.showSuppressed.includes(reason)) return { end: 'inbox', reason };
  return { end: 'suppress', reason, ...(deliveryId === undefined ? {} : { deliveryId }) };
}
