import { decideHeld } from './pipeline.js';
import { release, stillWanted } from './release.js';
import { escalate, nextChannel } from './stages/follow-up.js';
import type { Turn } from './turn.js';
import type { Buffer } from './user-state.js';

interface Due {
  readonly due: number;
  readonly key: string;
  readonly run: (turn: Turn) => void;
}

/** Does everything that falls due up to a moment, in the order (due, key), each at its own moment. */
export function advance(turn: Turn, until: number): void {
  for (let wake = nextDue(turn); wake !== undefined && wake <= until; wake = nextDue(turn)) {
    const next = earliest(turn, wake);
    turn.now = Math.max(turn.now, wake);
    next.run(turn);
  }
  turn.now = Math.max(turn.now, until);
}

/** When the next thing falls due, or undefined. */
export function nextDue({ state: { buffers, escalations, followUps } }: Turn): number | undefined {
  let next: number | undefined;
  for (const list of [buffers, escalations, followUps]) {
    for (const { due } of list) if (next === undefined || due < next) next = due;
  }
  return next;
}

function earliest({ state: { buffers, escalations, followUps } }: Turn, moment: number): Due {
  const due: Due[] = [];
  for (const one of buffers) if (one.due === moment) due.push({ due: moment, key: one.key, run: (turn) => open(turn, one) });
  for (const one of escalations) if (one.due === moment) due.push({ due: moment, key: `escalation:${one.offsets[0]}`, run: (turn) => escalate(turn, one) });
  for (const one of followUps) if (one.due === moment) due.push({ due: moment, key: `unseen:${one.offset}`, run: (turn) => nextChannel(turn, one) });
  return due.reduce((first, one) => (one.key < first.key ? one : first));
}

function open(turn: Turn, buffer: Buffer): void {
  if (buffer.kind !== 'hold') {
    release(turn, buffer);
    return;
  }
  turn.keep('buffers', ({ key }) => key !== buffer.key);
  for (const candidate of stillWanted(turn, buffer)) decideHeld(turn, candidate);
}
