import { diffPolicies } from './policy-diff.js';

describe('the difference of two policies', () => {
  it('names each field that changed, was added or is gone', () => {
    const before = { name: 'a', collapse: { ttlSeconds: 600 }, throttle: [{ n: 3 }, { n: 9 }], notes: 'x' };
    const after = { name: 'a', collapse: { ttlSeconds: 60 }, throttle: [{ n: 5 }], storm: { count: 1 } };
    expect(diffPolicies(before, after)).toEqual([
      { path: 'collapse.ttlSeconds', before: 600, after: 60 },
      { path: 'notes', before: 'x' },
      { path: 'storm', after: { count: 1 } },
      { path: 'throttle.0.n', before: 3, after: 5 },
      { path: 'throttle.1', before: { n: 9 } },
    ]);
  });

  it('is empty for equal ones, whatever the order of their fields', () => {
    expect(diffPolicies({ a: 1, b: [1] }, { b: [1], a: 1 })).toEqual([]);
  });
});
