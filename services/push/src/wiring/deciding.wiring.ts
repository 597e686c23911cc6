import type { PushBasis, PushPart } from './part.js';

/** The partitioned decider: log, partitions, matcher, timers. */
export function wireDeciding(_basis: PushBasis): PushPart {
  return { controllers: [], providers: [] };
}
