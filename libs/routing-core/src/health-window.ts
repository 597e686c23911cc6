/** Outcomes of one millisecond. */
export interface HealthSlot {
  readonly at: number;
  readonly successes: number;
  readonly failures: number;
  /** Sum over the successes, in milliseconds. */
  readonly latencyMs: number;
}

/** How a resource did lately. Plain data: it may be stored. Slots are oldest first. */
export interface HealthState {
  readonly slots: readonly HealthSlot[];
  readonly lastSuccessAt?: number | undefined;
  readonly lastFailureAt?: number | undefined;
}

export type HealthEvent = { readonly kind: 'success'; readonly latencyMs: number } | { readonly kind: 'failure' };

export interface HealthOptions {
  /** An outcome counts as long as it is younger than this. Default 60 000; `Infinity` gives the cumulative score. */
  readonly windowMs?: number;
}

export interface HealthSummary {
  readonly successes: number;
  readonly failures: number;
  /** Of the successes; undefined without one. */
  readonly averageLatencyMs: number | undefined;
  /** 0 (never works) to 1; 0.5 when nothing is known. */
  readonly score: number;
}

export const UNKNOWN_HEALTH: HealthState = Object.freeze({ slots: Object.freeze([]) });

const DEFAULT_WINDOW_MS = 60_000;
/** Beyond this many distinct milliseconds in the window, the two oldest are counted together: memory stays bounded under any load. */
const MAX_SLOTS = 1_024;
const RECENCY_MS = 60_000;
const RECENCY_BONUS = 0.2;
const MAX_LATENCY_PENALTY = 0.2;
const LATENCY_SCALE_MS = 10_000;
const ASSUMED_LATENCY_MS = 1_000;

/** Records one outcome and forgets what has left the window. A clock that went back counts as standing still. */
export function healthStep(state: HealthState, event: HealthEvent, now: number, options: HealthOptions = {}): HealthState {
  const newest = state.slots.at(-1);
  const at = newest ? Math.max(newest.at, now) : now;
  const fresh = withinWindow(state.slots, at, options);
  const success = event.kind === 'success';
  const last = fresh.at(-1);
  const same = last?.at === at ? last : undefined;
  const slot: HealthSlot = {
    at,
    successes: (same?.successes ?? 0) + (success ? 1 : 0),
    failures: (same?.failures ?? 0) + (success ? 0 : 1),
    latencyMs: (same?.latencyMs ?? 0) + (success ? Math.max(0, event.latencyMs) : 0),
  };
  const slots = bounded([...(same ? fresh.slice(0, -1) : fresh), slot]);
  return { slots, lastSuccessAt: success ? at : state.lastSuccessAt, lastFailureAt: success ? state.lastFailureAt : at };
}

function withinWindow(slots: readonly HealthSlot[], now: number, { windowMs = DEFAULT_WINDOW_MS }: HealthOptions): readonly HealthSlot[] {
  const first = slots.findIndex((slot) => now - slot.at < windowMs);
  return first <= 0 ? (first === 0 ? slots : []) : slots.slice(first);
}

function bounded(slots: readonly HealthSlot[]): readonly HealthSlot[] {
  const [oldest, second, ...rest] = slots.length > MAX_SLOTS ? slots : [];
  if (!oldest || !second) return slots;
  const merged = {
    at: oldest.at,
    successes: oldest.successes + second.successes,
    failures: oldest.failures + second.failures,
    latencyMs: oldest.latencyMs + second.latencyMs,
  };
  return [merged, ...rest];
}

/**
 * What the window says at `now`: share of successes, plus up to 0.2 for a recent success that no failure followed, minus up to 0.2 for
 * slowness.
 */
export function healthSummary(state: HealthState, now: number, options: HealthOptions = {}): HealthSummary {
  let successes = 0;
  let failures = 0;
  let latencyMs = 0;
  for (const slot of withinWindow(state.slots, now, options)) {
    successes += slot.successes;
    failures += slot.failures;
    latencyMs += slot.latencyMs;
  }
  const total = successes + failures;
  if (total === 0) return { successes, failures, averageLatencyMs: undefined, score: 0.5 };
  const averageLatencyMs = successes === 0 ? undefined : latencyMs / successes;
  const penalty = Math.min(MAX_LATENCY_PENALTY, (averageLatencyMs ?? ASSUMED_LATENCY_MS) / LATENCY_SCALE_MS);
  const score = Math.min(1, Math.max(0, successes / total + RECENCY_BONUS * recency(state, now) - penalty));
  return { successes, failures, averageLatencyMs, score };
}

/** 1 right after a success that no failure followed, falling to 0 within a minute. */
function recency({ lastSuccessAt, lastFailureAt = Number.NEGATIVE_INFINITY }: HealthState, now: number): number {
  if (lastSuccessAt === undefined || lastSuccessAt <= lastFailureAt) return 0;
  return Math.min(1, Math.max(0, 1 - (now - lastSuccessAt) / RECENCY_MS));
}

export const healthScore = (state: HealthState, now: number, options: HealthOptions = {}): number => healthSummary(state, now, options).score;
