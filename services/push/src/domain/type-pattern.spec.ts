import fc from 'fast-check';
import { matchesTypePattern } from './type-pattern.js';

describe('type patterns', () => {
  it.each([
    ['com.acme.order.created', 'com.acme.order.created', true],
    ['com.acme.order.created', 'com.acme.order.created.v2', false],
    ['com.acme.*', 'com.acme.order.created', true],
    ['com.acme.*', 'com.acme', false],
    ['*.failed', 'import.failed', true],
    ['*.failed', 'import.failed.again', false],
    ['a*b*c', 'a-x-b-y-c', true],
    ['a*b*c', 'a-c-b', false],
    ['ab*ba', 'aba', false],
    ['*', '', true],
    ['', 'a', false],
    ['a.c', 'abc', false],
  ])('%s against %s: %s', (pattern, type, expected) => {
    expect(matchesTypePattern(pattern, type)).toBe(expected);
  });

  it('agrees with the obvious regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '+') });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*') });
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        const expression = new RegExp(
          `^${p
            .split('*')
            .map((piece) => piece.replaceAll('.', '\\.'))
            .join('.*')}$`,
        );
        expect(matchesTypePattern(p, t)).toBe(expression.test(t));
      }),
      { numRuns: 500 },
    );
  });

  it('stays fast on a pattern made to be slow', () => {
    const started = performance.now();
    expect(matchesTypePattern(`${'a*'.repeat(120)}b`, 'a'.repeat(512))).toBe(false);
    // Backtracking would take longer than the universe is old.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
