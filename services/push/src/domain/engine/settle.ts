import { lighten } from './parking-size.js';
import { release } from './release.js';
import { emit } from './stages/emit.js';
import type { Candidate, Ending, Turn } from './turn.js';
import { type Buffer, type Item, LIMITS } from './user-state.js';

type Parked = Extract<Ending, { end: 'park' }>;

/** Does what a stage decided. */
export function settle(turn: Turn, candidate: Candidate, ending: Ending): void {
  switch (ending.end) {
    case 'park':
      park(turn, candidate, ending);
      break;
    case 'inbox':
      emit(turn, [candidate], { kind: 'notification', interrupt: false, reason: ending.reason });
      break;
    case 'edit':
      turn.decide(candidate, 'inbox', ending.reason, deliveryOf(ending));
      break;
    case 'suppress':
      turn.decide(candidate, 'suppressed', ending.reason, deliveryOf(ending));
      break;
    case 'drop':
      turn.decide(candidate, 'dropped', ending.reason, deliveryOf(ending));
      break;
  }
}

function deliveryOf({ deliveryId }: { readonly deliveryId?: string }): { deliveryId?: string } {
  return deliveryId === undefined ? {} : { deliveryId };
}

/** Lets a candidate wait. Where too much waits already it goes to the inbox without interrupting: nothing is lost, and the state stays bounded. */
function park(turn: Turn, candidate: Candidate, { reason, until, buffer: where }: Parked): void {
  // What is critical has room of its own: whatever else waits must not silence it.
  const isStorm = where.kind === 'storm';
  const waiting = turn.state.buffers.reduce((sum, { kind, items }) => ((kind === 'storm') === isStorm ? sum + items.length : sum), 0);
  if (waiting >= LIMITS.parked) {
    emit(turn, [candidate], { kind: 'notification', interrupt: false, reason });
    return;
  }
  turn.decide(candidate, 'deferred', reason, { until });
  const buffers = turn.own('buffers');
  const place = buffers.findIndex(({ key }) => key === where.key);
  const open = buffers[place] ?? opened(turn, where, until);
  const closesAt = reason === 'group' ? until : open.closesAt;
  const joined: Buffer = {
    ...open,
    due: Math.min(open.due, until),
    ...(closesAt === undefined ? {} : { closesAt }),
    items: [...open.items, itemOf(candidate, reason)],
  };
  if (place < 0) buffers.push(joined);
  else buffers[place] = joined;
  if (where.maxItems !== undefined && joined.items.length >= where.maxItems) release(turn, joined);
}

function opened(turn: Turn, { key, kind, leading }: Parked['buffer'], due: number): Buffer {
  return { key, kind, openedAt: turn.now, due, ...(leading === true ? { leading } : {}), policyVersion: turn.policyVersion, items: [] };
}

function itemOf({ event, hits, score, agent, priority, seq }: Candidate, reason: Item['reason']): Item {
  return { event: lighten(event), hits, score, ...(agent === undefined ? {} : { agent }), priority, reason, seq };
}
