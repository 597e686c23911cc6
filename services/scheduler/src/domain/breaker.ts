/** Whether a template may be started at a provider. Kept in the database; all times are milliseconds of its clock. */
export interface Breaker {
  /** Failures in a row, oldest first, with the owner whose VM it was. */
  readonly failures: readonly { readonly owner: string; readonly at: number }[];
  /** Set: no new VMs before. */
  readonly openUntil: number | undefined;
  /** Set: one VM was let through after that, to see; nobody else until then. */
  readonly probeUntil: number | undefined;
}

export const CLOSED: Breaker = { failures: [], openUntil: undefined, probeUntil: undefined };

const FAILURES = 5;
const OWNERS = 3;
const WINDOW_MS = 120_000;
const OPEN_MS = 30_000;

/** A start failed. One owner alone never opens it: what is broken may be theirs. */
export function afterFailure(breaker: Breaker, owner: string, now: number): Breaker {
  const failures = [...breaker.failures.filter(({ at }) => at > now - WINDOW_MS), { owner, at: now }].slice(-20);
  const opens = failures.length >= FAILURES && new Set(failures.map((failure) => failure.owner)).size >= OWNERS;
  const probing = breaker.openUntil !== undefined && breaker.openUntil <= now;
  return opens || probing ? { failures, openUntil: now + OPEN_MS, probeUntil: undefined } : { ...breaker, failures };
}

export type BreakerAnswer = { readonly allowed: true; readonly breaker: Breaker } | { readonly allowed: false; readonly retryAfterMs: number };

/** Asks for one start. When the time of an open breaker is over, one caller is let through and the others wait for how that ends. */
export function askBreaker(breaker: Breaker, now: number): BreakerAnswer {
  if (breaker.openUntil === undefined) return { allowed: true, breaker };
  if (breaker.openUntil > now) return { allowed: false, retryAfterMs: breaker.openUntil - now };
  if (breaker.probeUntil !== undefined && breaker.probeUntil > now) return { allowed: false, retryAfterMs: breaker.probeUntil - now };
  return { allowed: true, breaker: { ...breaker, probeUntil: now + OPEN_MS } };
}
