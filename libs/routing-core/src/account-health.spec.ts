import fc from 'fast-check';
import {
  breakerStep,
  type CircuitEvent,
  type CircuitState,
  CLOSED_CIRCUIT,
  type HealthState,
  healthScore,
  healthStep,
  healthSummary,
  nextAttemptAt,
  orderAccounts,
  UNKNOWN_HEALTH,
} from './index.js';

const RESET = { threshold: 3, resetMs: 100 };
const run = (events: readonly [CircuitEvent, number][], from: CircuitState = CLOSED_CIRCUIT): CircuitState =>
  events.reduce((state, [event, at]) => breakerStep(state, event, at, RESET).state, from);
const opened = run([
  ['failure', 0],
  ['failure', 0],
  ['failure', 0],
]);

describe('circuit breaker', () => {
  test('of many attempts at an open breaker exactly one is the probe', () => {
    let state = opened;
    const allowed = Array.from({ length: 50 }, (_, n) => {
      const step = breakerStep(state, 'attempt', 100 + n, RESET);
      state = step.state;
      return step.allowed;
    });
    expect(allowed.filter(Boolean)).toHaveLength(1);
    expect(allowed[0]).toBe(true);
  });

  test('never lets two probes out within the reset time, whatever happens', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 150 }), event: fc.constantFrom<CircuitEvent>('attempt', 'success', 'failure') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        let state = CLOSED_CIRCUIT;
        let now = 0;
        let probeAt: number | undefined;
        for (const { wait, event } of steps) {
          now += wait;
          const before = state;
          const { allowed, state: after } = breakerStep(before, event, now, RESET);
          state = after;
          if (before.state !== 'half_open') probeAt = undefined;
          if (event === 'attempt' && allowed && before.state !== 'closed') {
            if (probeAt !== undefined) expect(now - probeAt).toBeGreaterThanOrEqual(RESET.resetMs);
            probeAt = now;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a state is never changed in place, and survives storage', () => {
    const stored = JSON.parse(JSON.stringify(opened)) as CircuitState;
    breakerStep(opened, 'attempt', 1_000, RESET);
    expect(opened).toEqual(stored);
    expect(breakerStep(stored, 'attempt', 100, RESET)).toEqual(breakerStep(opened, 'attempt', 100, RESET));
  });

  test('says when the next attempt may go ahead, and it does go ahead then', () => {
    expect(nextAttemptAt(CLOSED_CIRCUIT, RESET)).toBeUndefined();
    expect(nextAttemptAt(opened, RESET)).toBe(100);
    expect([99, 100].map((at) => breakerStep(opened, 'attempt', at, RESET).allowed)).toEqual([false, true]);
    const probing = run([['attempt', 120]], opened);
    expect(nextAttemptAt(probing, RESET)).toBe(220);
  });
});

describe('health', () => {
  const at = (times: readonly number[], windowMs: number): HealthState =>
    times.reduce(
      (state, time, n) => healthStep(state, n % 2 === 0 ? { kind: 'success', latencyMs: 10 } : { kind: 'failure' }, time, { windowMs }),
      UNKNOWN_HEALTH,
    );

  test('counts an outcome until it is as old as the window, to the millisecond', () => {
    const state = at([0], 1_000);
    expect([999, 1_000].map((now) => healthSummary(state, now, { windowMs: 1_000 }).successes)).toEqual([1, 0]);
    expect(healthScore(state, 1_000, { windowMs: 1_000 })).toBe(0.5);
  });

  test('counts exactly what lies in the window, whenever it is asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 3_000 }),
        fc.integer({ min: 0, max: 4_000 }),
        (gaps, windowMs, later) => {
          let now = 0;
          const times = gaps.map((gap) => (now += gap));
          const asked = now + later;
          const { successes, failures } = healthSummary(at(times, windowMs), asked, { windowMs });
          const inside = times.map((time) => asked - time < windowMs);
          expect(successes).toBe(inside.filter((is, n) => is && n % 2 === 0).length);
          expect(failures).toBe(inside.filter((is, n) => is && n % 2 === 1).length);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('forgets in the window what the cumulative score keeps', () => {
    const bad = healthStep(UNKNOWN_HEALTH, { kind: 'failure' }, 0);
    const later = healthStep(bad, { kind: 'success', latencyMs: 0 }, 60_000);
    expect(healthScore(later, 60_000)).toBe(1);
    const kept = healthStep(healthStep(UNKNOWN_HEALTH, { kind: 'failure' }, 0, { windowMs: Infinity }), { kind: 'success', latencyMs: 0 }, 60_000, {
      windowMs: Infinity,
    });
    expect(healthScore(kept, 60_000, { windowMs: Infinity })).toBe(0.7);
  });

  test('stays small and keeps its counts under any load', () => {
    let state = UNKNOWN_HEALTH;
    for (let now = 0; now < 5_000; now++) state = healthStep(state, { kind: 'failure' }, now);
    expect(state.slots.length).toBeLessThanOrEqual(1_024);
    expect(healthSummary(state, 5_000).failures).toBe(5_000);
  });

  test('is a number from 0 to 1 for any history, also when the clock goes back', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('success' as const), latencyMs: fc.integer({ min: -5, max: 100_000 }) }),
      fc.constant({ kind: 'failure' as const }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.integer({ min: 0, max: 200_000 })), { maxLength: 50 }), fc.integer({ min: 0, max: 300_000 }), (events, now) => {
        const state = events.reduce((known, [outcome, time]) => healthStep(known, outcome, time), UNKNOWN_HEALTH);
        const score = healthScore(JSON.parse(JSON.stringify(state)), now);
        expect(score >= 0 && score <= 1).toBe(true);
        expect(state.slots.map((slot) => slot.at)).toEqual(state.slots.map((slot) => slot.at).sort((one, other) => one - other));
      }),
    );
  });
});

describe('order of accounts', () => {
  const good = healthStep(UNKNOWN_HEALTH, { kind: 'success', latencyMs: 50 }, 0);
  const bad = healthStep(UNKNOWN_HEALTH, { kind: 'failure' }, 0);
  const order = (accounts: Parameters<typeof orderAccounts>[0], now = 0, preferred?: string) =>
    orderAccounts(accounts, now, { ...RESET, preferred }).map(({ accountId, standing }) => `${accountId} ${standing}`);

  test('best first, equal ones as given', () => {
    expect(order([{ accountId: 'bad', health: bad }, { accountId: 'new1' }, { accountId: 'good', health: good }, { accountId: 'new2' }])).toEqual([
      'good ready',
      'new1 ready',
      'new2 ready',
      'bad ready',
    ]);
  });

  test('the account of the conversation stays first until its breaker opens, and comes back by a probe', () => {
    const accounts = (circuit: CircuitState) => [
      { accountId: 'a', health: bad, circuit },
      { accountId: 'b', health: good },
    ];
    expect(order(accounts(CLOSED_CIRCUIT), 0, 'a')).toEqual(['a ready', 'b ready']);
    expect(order(accounts(opened), 50, 'a')).toEqual(['b ready', 'a blocked']);
    expect(order(accounts(opened), 100, 'a')).toEqual(['a probe', 'b ready']);
  });

  test('a sick account is probed although another works, and blocked ones say when', () => {
    expect(
      order(
        [
          { accountId: 'b', health: good },
          { accountId: 'a', circuit: opened },
        ],
        100,
      ),
    ).toEqual(['a probe', 'b ready']);
    expect(orderAccounts([{ accountId: 'a', circuit: opened }], 10, RESET)).toEqual([{ accountId: 'a', score: 0.5, standing: 'blocked', retryAt: 100 }]);
  });
});
