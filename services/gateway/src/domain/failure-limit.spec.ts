import { FAILURE_RULES, FailureLimit } from './failure-limit.js';

describe('failed authentications of one address', () => {
  const guess = (limit: FailureLimit, address: string, times: number, start = 0, step = 1_000) => {
    for (let index = 0; index < times; index += 1) limit.note(address, start + index * step);
  };

  it('cost five minutes once ten have come within a minute', () => {
    const limit = new FailureLimit();
    guess(limit, '192.0.2.1', 9);
    expect(limit.blockedFor('192.0.2.1', 9_000)).toBe(0);
    limit.note('192.0.2.1', 9_000);
    expect(limit.blockedFor('192.0.2.1', 9_000)).toBe(300_000);
    expect(limit.blockedFor('192.0.2.1', 309_000)).toBe(0);
    expect(limit.blockedFor('192.0.2.2', 9_000)).toBe(0);
  });

  it('cost nothing when they come slowly, or from the same machine', () => {
    const limit = new FailureLimit();
    guess(limit, '192.0.2.1', 100, 0, 7_000);
    expect(limit.blockedFor('192.0.2.1', 700_000)).toBe(0);
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      guess(limit, address, 100);
      expect(limit.blockedFor(address, 100_000)).toBe(0);
    }
  });

  it('are remembered for a bounded number of addresses', () => {
    const limit = new FailureLimit({ ...FAILURE_RULES, capacity: 2 });
    guess(limit, 'a', 10);
    guess(limit, 'b', 10);
    guess(limit, 'c', 1);
    expect(limit.blockedFor('a', 10_000)).toBe(0);
    expect(limit.blockedFor('b', 10_000)).toBeGreaterThan(0);
  });
});
