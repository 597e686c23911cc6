import { diffPaths } from '@plexus/agent-config';
import fc from 'fast-check';
import { differencesOf, MAX_PRINTED } from './config-difference.js';

const asItIs = (value: unknown): unknown => value;
// Names without dots, and no member that JSON would drop.
const document = fc.dictionary(
  fc.stringMatching(/^[a-c]$/),
  fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.integer({ max: 2, min: 0 }),
      fc.constant('x'),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.stringMatching(/^[a-c]$/), tie('value')),
    ),
  })).value,
);

describe('differences between two documents', () => {
  it('are at the same paths that the reload plan sees', () => {
    fc.assert(
      fc.property(document, document, (before, after) => {
        expect(
          differencesOf(before, after, asItIs)
            .map(({ path }) => path)
            .sort(),
        ).toEqual(diffPaths(before, after));
      }),
    );
  });

  it('are none between a document and itself', () => {
    fc.assert(fc.property(document, (one) => differencesOf(one, structuredClone(one), asItIs).length === 0));
  });

  it('hold what stood and what stands there; what is absent is not named', () => {
    expect(differencesOf({ a: 1, b: [1], c: { d: 1 } }, { b: [2], c: { d: 1, e: null } }, asItIs)).toEqual([
      { path: 'a', before: 1 },
      { path: 'b', before: [1], after: [2] },
      { path: 'c.e', after: null },
    ]);
  });

  it('are printed in full as long as that is little, and briefly from there on', () => {
    const print = (value: unknown, _path: readonly string[], isBrief: boolean): unknown => (isBrief ? 'brief' : value);
    const large = 'x'.repeat(MAX_PRINTED);
    expect(differencesOf({ a: 1, b: 1, c: 1 }, { a: 2, b: large, c: large }, print)).toEqual([
      { path: 'a', before: 1, after: 2 },
      { path: 'b', before: 1, after: 'brief' },
      { path: 'c', before: 1, after: 'brief' },
    ]);
  });
});
