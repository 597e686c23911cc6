import { acknowledge, markSeen } from './awaiting.js';
import type { LogBody } from './types.js';
import type { Turn } from './turn.js';
import { LIMITS, type UserStateShape } from './user-state.js';

type Data<K extends LogBody['kind']> = Extract<LogBody, { kind: K }>['data'];

const MAX_GRANTS = 5_000;
const MAX_SILENCES = 1_000;

/** The whole of what the user wants from here on. */
export function heardPreference(turn: Turn, { version, preferences, quietHours }: Data<'preference'>): void {
  const said: UserStateShape['said'] = { version, preferences, ...(quietHours === undefined ? {} : { quietHours }) };
  if (version >= turn.state.said.version) turn.state.said = said;
}

/** A change counts for what waits, and for candidates that were matched before it. */
export function heardSubscription(turn: Turn, change: Data<'subscription'>): void {
  const known = turn.state.subscriptions.find(({ id }) => id === change.id);
  if (known !== undefined && known.version > change.version) return;
  turn.keep('subscriptions', (one) => one !== known);
  turn.append('subscriptions', change, LIMITS.subscriptions);
}

export function heardSilence(turn: Turn, silence: Data<'silence'>): void {
  turn.keep('silences', ({ id, to }) => id !== silence.id && to > turn.now);
  if (!silence.removed) turn.append('silences', silence, MAX_SILENCES);
}

/** `restricted` and its opposite concern everybody and are folded elsewhere. */
export function heardGrant(turn: Turn, { scopeKind, scopeRef, change, until }: Data<'grant'>): void {
  if (change !== 'granted' && change !== 'revoked') return;
  const scope = `${scopeKind}:${scopeRef}`;
  turn.keep('grants', (one) => one.scope !== scope);
  turn.append('grants', change === 'revoked' ? { scope, revoked: turn.seq } : { scope, ...(until === undefined ? {} : { until }) }, MAX_GRANTS);
}

export function heardAck(turn: Turn, { deliveryId }: Data<'ack'>): void {
  acknowledge(turn, (id) => id === deliveryId);
  markSeen(turn, (id) => id === deliveryId);
}

/** Whoever is done with an item has acknowledged it; seeing or reading it is not enough for that. */
export function heardRead(turn: Turn, { deliveryIds, upTo = 0, state }: Data<'read'>): void {
  const isMeant = (id: string, offset: number) => offset <= upTo || deliveryIds.includes(id);
  markSeen(turn, isMeant);
  if (state === 'done') acknowledge(turn, isMeant);
}
