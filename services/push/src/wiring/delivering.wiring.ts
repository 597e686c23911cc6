import type { PushBasis, PushPart } from './part.js';

/** Channels outside the inbox, and the states of its items. */
export function wireDelivering(_basis: PushBasis): PushPart {
  return { controllers: [], providers: [] };
}
