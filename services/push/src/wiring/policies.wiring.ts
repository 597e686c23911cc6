import type { PushBasis, PushPart } from './part.js';

/** Policies, replay, explanations, feedback. */
export function wirePolicies(_basis: PushBasis): PushPart {
  return { controllers: [], providers: [] };
}
