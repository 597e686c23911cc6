import type { SubscriptionLevel } from './subscription.js';

export interface JudgedDeliveries {
  readonly level: SubscriptionLevel;
  /** Of the deliveries on which somebody gave an opinion lately. */
  readonly useful: number;
  readonly notUseful: number;
}

/** So often "not useful" is more than a mood. */
const REPEATED = 3;
/** Of all opinions, so many must say it. */
const SHARE = 0.75;

const QUIETER: Readonly<Partial<Record<SubscriptionLevel, 'digest' | 'critical_only' | 'muted'>>> = {
  all: 'digest',
  digest: 'critical_only',
  critical_only: 'muted',
};

/** The next quieter level when deliveries of a subscription are repeatedly not useful. Only a suggestion: nothing is changed by it. */
export function suggestLevel({ level, useful, notUseful }: JudgedDeliveries): 'digest' | 'critical_only' | 'muted' | undefined {
  if (notUseful < REPEATED || notUseful < SHARE * (useful + notUseful)) return undefined;
  return QUIETER[level];
}
