import fc from 'fast-check';
import { HttpRates, RequestRates, UsageLimits } from './request-rates.js';

describe('how often somebody may ask', () => {
  it('is a burst at once, then the rate, and the wait that is named is exactly enough', () => {
    const rates = new RequestRates();
    const rule = { perSecond: 2, burst: 3 };
    expect([1, 2, 3].map(() => rates.take('ann', rule, 1_000))).toEqual([0, 0, 0]);
    expect(rates.take('ann', rule, 1_000)).toBe(500);
    expect(rates.take('bob', rule, 1_000)).toBe(0);
    expect(rates.take('ann', rule, 1_499)).toBe(1);
    expect(rates.take('ann', rule, 1_500)).toBe(0);
    expect(rates.take('ann', rule, 1_500)).toBe(500);
    expect([1, 2, 3, 4].map(() => rates.take('ann', rule, 60_000))).toEqual([0, 0, 0, 500]);
  });

  it('never lets more through than the burst and the rate allow, whenever one asks', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), (pauses, perSecond, burst) => {
        const rates = new RequestRates();
        let now = 0;
        let passed = 0;
        for (const pause of pauses) {
          now += pause;
          if (rates.take('x', { perSecond, burst }, now) === 0) passed += 1;
          expect(passed).toBeLessThanOrEqual(burst + (now * perSecond) / 1_000 + 1e-6);
        }
      }),
      { seed: 20_261_121, numRuns: 100 },
    );
  });

  it('is remembered of a bounded number', () => {
    const rates = new RequestRates(10);
    for (let i = 0; i < 1_000; i += 1) rates.take(`10.0.0.${i}`, { perSecond: 1, burst: 1 }, 0);
    expect(rates.size).toBe(10);
    expect(rates.take('10.0.0.999', { perSecond: 1, burst: 1 }, 0)).toBe(1_000);
  });

  it('counts per address and per user of a tenant, does not concern loopback, and a tenant may allow less', () => {
    const rules = {
      user: { perSecond: 1, burst: 2 },
      address: { perSecond: 1, burst: 1 },
      requestsPerMinute: (tenant: string) => (tenant === 'small' ? 1 : undefined),
    };
    const rates = new HttpRates(rules, () => 0);
    expect([rates.ofAddress('203.0.113.1'), rates.ofAddress('203.0.113.1'), rates.ofAddress('203.0.113.2')]).toEqual([0, 1_000, 0]);
    for (let i = 0; i < 5; i += 1) expect([rates.ofAddress('::ffff:127.0.0.1'), rates.ofUser('small', 'ann', '127.0.0.1')]).toEqual([0, 0]);
    const asks = (tenant: string, user: string) => [1, 2, 3].map(() => rates.ofUser(tenant, user, '203.0.113.1'));
    expect(asks('big', 'ann')).toEqual([0, 0, 1_000]);
    expect(asks('big', 'bob')).toEqual([0, 0, 1_000]);
    expect(asks('small', 'ann')).toEqual([0, 60_000, 60_000]);
  });
});

describe('what a user and a tenant may send', () => {
  const who = (user: string, tenant = 't') => ({ tenant, user, address: '203.0.113.1' });
  const none = { userRequests: 0, userBytes: 0, tenantRequests: 0, tenantBytes: 0 };

  it('counts every connection of a user together, and every user of a tenant; what is refused costs nothing', () => {
    let now = 0;
    const limits = new UsageLimits({ ...none, userRequests: 1, tenantRequests: 2 }, () => now);
    const asks = (user: string, times: number) => Array.from({ length: times }, () => limits.take(who(user), 10));
    expect(asks('ann', 5)).toEqual(Array(5).fill(undefined));
    expect(asks('ann', 50)).toEqual(Array(50).fill({ whose: 'user', what: 'requests', waitMs: 1_000 }));
    expect(asks('bob', 5)).toEqual(Array(5).fill(undefined));
    expect(limits.take(who('cid'), 10)).toEqual({ whose: 'tenant', what: 'requests', waitMs: 500 });
    expect(limits.take(who('ann', 'other'), 10)).toBeUndefined();
    now = 1_000;
    expect([limits.take(who('ann'), 10), limits.take(who('ann'), 10)]).toEqual([undefined, { whose: 'user', what: 'requests', waitMs: 1_000 }]);
  });

  it('counts bytes: one that is larger than all that may come at once passes, and is waited for afterwards', () => {
    let now = 0;
    const limits = new UsageLimits({ ...none, userBytes: 100, tenantBytes: 10_000 }, () => now);
    expect(limits.take(who('ann'), 1_500)).toBeUndefined();
    expect(limits.take(who('ann'), 1)).toEqual({ whose: 'user', what: 'bytes', waitMs: 10_010 });
    expect(limits.take(who('bob'), 1)).toBeUndefined();
    now = 10_010;
    expect(limits.take(who('ann'), 1)).toBeUndefined();
    expect(limits.take(who('bob'), 90_000)).toBeUndefined();
    expect(limits.take(who('cid'), 1)).toMatchObject({ whose: 'tenant', what: 'bytes' });
  });

  it('does not concern loopback, nor anybody where there is no limit', () => {
    const limits = new UsageLimits({ ...none, userRequests: 1 }, () => 0);
    const free = new UsageLimits(none, () => 0);
    for (let i = 0; i < 100; i += 1) {
      expect(limits.take({ ...who('ann'), address: '127.0.0.1' }, 1)).toBeUndefined();
      expect(free.take(who('ann'), 1_000_000)).toBeUndefined();
    }
  });
});
