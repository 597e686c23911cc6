import type { Random } from '../random.js';

export const LOAD_KINDS = ['chat', 'event', 'memory-search', 'memory-write', 'vm-ensure'] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];

/** The published mix: shares of all operations that arrive. */
export const MIX: Readonly<Record<LoadKind, number>> = { chat: 0.6, event: 0.25, 'memory-search': 0.05, 'memory-write': 0.05, 'vm-ensure': 0.05 };

export interface Arrival {
  /** Ms since the step began: when it has to begin, whether or not earlier ones are done. */
  readonly atMs: number;
  readonly kind: LoadKind;
  readonly user: number;
}

/** Independent arrivals at `perSecond` (exponential pauses), each of a kind and a user: an open loop, which does not slow down with what it measures. */
export function planArrivals(random: Random, perSecond: number, durationMs: number, users: number): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let atMs = random.exponentialMs(perSecond); atMs < durationMs; atMs += random.exponentialMs(perSecond)) {
    arrivals.push({ atMs, kind: drawKind(random.next()), user: random.between(0, users - 1) });
  }
  return arrivals;
}

/** The kind whose stretch of [0, 1) a number falls into. */
export function drawKind(drawn: number): LoadKind {
  let upTo = 0;
  for (const kind of LOAD_KINDS) {
    upTo += MIX[kind];
    if (drawn < upTo) return kind;
  }
  return 'vm-ensure';
}
