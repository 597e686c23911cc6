import type { PushBasis, PushPart } from './part.js';

/** Schedules, dispatch rules, tools for agents, matching by meaning. */
export function wireTriggers(_basis: PushBasis): PushPart {
  return { controllers: [], providers: [] };
}
