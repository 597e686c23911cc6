/** Failures in a row, or one failed probe, keep a resource from being tried. Plain data: it may be stored and compared. */
export interface CircuitState {
  readonly state: 'closed' | 'open' | 'half_open';
  readonly failures: number;
  /** Milliseconds; 0 when there was none. */
  readonly lastFailureAt: number;
  /** When the probe that is out was let through; only in `half_open`. */
  readonly probeAt?: number;
}

export interface CircuitOptions {
  /** Failures in a row that open it. Default 5. */
  readonly threshold?: number;
  /** Quiet time after the last failure until a probe is let through, and the time after which a probe without an answer is given up. Default 30 000. */
  readonly resetMs?: number;
}

/** `attempt` asks for permission; the outcome of what was permitted is reported with `success` or `failure`. */
export type CircuitEvent = 'attempt' | 'success' | 'failure';
export type CircuitTransition = 'opened' | 'half-opened' | 'closed';

export interface CircuitStep {
  readonly state: CircuitState;
  /** Only for `attempt`: whether it may go ahead. */
  readonly allowed?: boolean;
  /** The change of state, once, to be published. */
  readonly transition?: CircuitTransition;
}

export const CLOSED_CIRCUIT: CircuitState = Object.freeze({ state: 'closed', failures: 0, lastFailureAt: 0 });

/** The names under which the requirement speaks of the transitions; they travel in the events' data. */
export const CIRCUIT_EVENT_NAMES: Readonly<Record<CircuitTransition, string>> = {
  opened: 'relay.circuit_breaker.open',
  'half-opened': 'relay.circuit_breaker.half_open',
  closed: 'relay.circuit_breaker.close',
};

const DEFAULTS = { threshold: 5, resetMs: 30_000 };

/**
 * One step of a circuit breaker. Pure: whoever stores the state compares and swaps it, so that of many concurrent attempts on an open
 * breaker exactly one becomes the probe. A probe that never reports is given up after `resetMs`. `now` in milliseconds of one clock.
 */
export function breakerStep(state: CircuitState, event: CircuitEvent, now: number, options: CircuitOptions = {}): CircuitStep {
  const { threshold, resetMs } = { ...DEFAULTS, ...options };
  switch (event) {
    case 'attempt':
      return attempt(state, now, resetMs);
    case 'success':
      // While open it changes nothing: it is the late answer to a call from before, and only a probe may close the breaker.
      if (state.state === 'open') return { state };
      return { state: { ...CLOSED_CIRCUIT, lastFailureAt: state.lastFailureAt }, ...(state.state === 'half_open' ? { transition: 'closed' as const } : {}) };
    case 'failure': {
      const failures = state.failures + 1;
      const opens = state.state === 'half_open' || (state.state === 'closed' && failures >= threshold);
      const next: CircuitState = { state: opens ? 'open' : state.state, failures, lastFailureAt: now };
      return opens ? { state: next, transition: 'opened' } : { state: next };
    }
  }
}

function attempt(state: CircuitState, now: number, resetMs: number): CircuitStep {
  if (state.state === 'closed') return { state, allowed: true };
  const since = state.state === 'open' ? state.lastFailureAt : (state.probeAt ?? state.lastFailureAt);
  if (now - since < resetMs) return { state, allowed: false };
  const probing: CircuitState = { state: 'half_open', failures: state.failures, lastFailureAt: state.lastFailureAt, probeAt: now };
  return state.state === 'open' ? { state: probing, allowed: true, transition: 'half-opened' } : { state: probing, allowed: true };
}

/** When the next attempt may go ahead; undefined while any may. */
export function nextAttemptAt(state: CircuitState, options: CircuitOptions = {}): number | undefined {
  if (state.state === 'closed') return undefined;
  const since = state.state === 'open' ? state.lastFailureAt : (state.probeAt ?? state.lastFailureAt);
  return since + (options.resetMs ?? DEFAULTS.resetMs);
}
