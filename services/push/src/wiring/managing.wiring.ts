import type { PushBasis, PushPart } from './part.js';

/** Preferences, quiet hours, silences, grants, contacts, subscriptions in bulk. */
export function wireManaging(_basis: PushBasis): PushPart {
  return { controllers: [], providers: [] };
}
