import { describe, expect, it } from '@jest/globals';
import { afterFailure, askBreaker, type Breaker, CLOSED } from './breaker.js';

const fail = (owners: readonly string[], from: number, everyMs = 1_000): Breaker =>
  owners.reduce((breaker, owner, index) => afterFailure(breaker, owner, from + index * everyMs), CLOSED);

describe('the breaker of a provider and template', () => {
  it('opens after five failures in a row of at least three owners within two minutes, for 30 s', () => {
    const breaker = fail(['a', 'b', 'c', 'a', 'b'], 0);
    expect(askBreaker(breaker, 5_000)).toEqual({ allowed: false, retryAfterMs: 29_000 });
  });

  it('never opens for what only one or two owners see, nor for failures that are spread out', () => {
    expect(askBreaker(fail(['a', 'b', 'a', 'b', 'a', 'b'], 0), 6_000).allowed).toBe(true);
    expect(askBreaker(fail(['a', 'b', 'c', 'd', 'e'], 0, 40_000), 200_000).allowed).toBe(true);
  });

  it('lets one caller through when its time is over, and opens again when that one fails too', () => {
    const open = fail(['a', 'b', 'c', 'd', 'e'], 0);
    const probe = askBreaker(open, 40_000);
    expect(probe.allowed).toBe(true);
    if (!probe.allowed) return;
    expect(askBreaker(probe.breaker, 41_000)).toMatchObject({ allowed: false });
    expect(askBreaker(afterFailure(probe.breaker, 'f', 45_000), 46_000)).toEqual({ allowed: false, retryAfterMs: 29_000 });
  });
});
