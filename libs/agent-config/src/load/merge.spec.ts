import fc from 'fast-check';
import { applyPatch, configHash, diffPatch, mergeIncludes, mergePatch } from '../index.js';

const scalar = fc.oneof(fc.integer(), fc.string({ maxLength: 5 }), fc.boolean());
/** Documents in which each name always has the same kind of value. */
const oneKind = fc.letrec<{ document: Record<string, unknown> }>((tie) => ({
  document: fc.record(
    {
      a: scalar,
      b: scalar,
      list: fc.array(scalar, { maxLength: 3 }),
      more: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 2 }),
      inner: fc.option(tie('document'), { nil: {}, depthSize: 'small', maxDepth: 3 }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, unknown>>,
})).document;
const withoutNull = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', ''), tie('value'), { maxKeys: 4 }),
  ),
})).value;
const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

describe('mergeIncludes', () => {
  it('concatenates lists, merges objects, and lets the later scalar win', () => {
    expect(mergeIncludes({ a: 1, b: { c: [1], d: 1 }, e: [0] }, { a: 2, b: { c: [2] }, e: { f: 1 } })).toEqual({ a: 2, b: { c: [1, 2], d: 1 }, e: { f: 1 } });
  });

  it('is associative while each name keeps its kind of value', () => {
    fc.assert(
      fc.property(oneKind, oneKind, oneKind, (a, b, c) => {
        expect(mergeIncludes(mergeIncludes(a, b), c)).toEqual(mergeIncludes(a, mergeIncludes(b, c)));
      }),
    );
  });

  it('never touches prototypes', () => {
    const evil = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "a": 1}') as unknown;
    for (const merge of [mergeIncludes, mergePatch]) expect(merge({ b: 1 }, evil)).toEqual({ a: 1, b: 1 });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('mergePatch', () => {
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [['a', 'b'], ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  ])('of %j with %j is %j, as RFC 7396 says', (document, patch, expected) => expect(mergePatch(document, patch)).toEqual(expected));

  it('of the difference between two documents is the second one', () => {
    fc.assert(
      fc.property(withoutNull, withoutNull, (before, after) => expect(json(mergePatch(before, diffPatch(before, after)))).toEqual(json(after))),
      { numRuns: 1_000 },
    );
  });

  it('changes neither of its arguments', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (document, patch) => {
        const before = JSON.stringify([document, patch]);
        mergePatch(document, patch);
        expect(JSON.stringify([document, patch])).toBe(before);
      }),
    );
  });
});

describe('applyPatch', () => {
  it('refuses a patch that was made for another document', () => {
    const seen = { a: 1 };
    const result = applyPatch({ a: 2 }, { b: 1 }, configHash(seen));
    expect(result).toMatchObject({ ok: false, error: { code: 'stale_base', currentHash: configHash({ a: 2 }) } });
    expect(applyPatch(seen, { b: 1 }, configHash(seen))).toEqual({ ok: true, value: { document: { a: 1, b: 1 }, hash: configHash({ b: 1, a: 1 }) } });
  });
});
