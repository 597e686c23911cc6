import fc from 'fast-check';
import { foldAccess, foldRestriction, type KnownAccess, type Said, saidNow } from './access.js';

const word = (at: number, granted: boolean, rest: Partial<Said> = {}): Said => ({ at, seq: at, granted, by: 'iam', ...rest });

/** Known, and everything that decisions were told. */
function fold(words: readonly Said[], known: KnownAccess = {}): { known: KnownAccess; told: string[] } {
  return words.reduce<{ known: KnownAccess; told: string[] }>(
    (state, one) => {
      const { user = state.known.user, scope = state.known.scope, tell } = foldAccess(state.known, one);
      return { known: { ...(user && { user }), ...(scope && { scope }) }, told: [...state.told, ...tell] };
    },
    { known, told: [] },
  );
}

describe('what is said about access', () => {
  it('the first grant of a scope restricts it, after its holder was let in', () => {
    expect(fold([word(1, true)]).told).toEqual(['granted', 'restricted']);
    expect(fold([word(1, true), word(2, false), word(3, true)]).told).toEqual(['granted', 'restricted', 'revoked', 'granted']);
  });

  it('a revocation restricts nothing, and the last one opens nothing', () => {
    expect(fold([word(1, false)])).toMatchObject({ known: { user: { granted: false } }, told: ['revoked'] });
    expect(fold([word(1, false)]).known.scope).toBeUndefined();
    expect(fold([word(1, true), word(2, false)]).known.scope).toMatchObject({ granted: true });
  });

  it('an explicit word about a scope stands against later grants', () => {
    const open = foldRestriction(undefined, word(5, false));
    expect(open.tell).toEqual([]);
    expect(fold([word(6, true)], { scope: open.scope as Said }).told).toEqual(['granted']);
    const restricted = foldRestriction(open.scope, { ...word(5, true), ...saidNow(open.scope, 5) });
    expect(restricted.tell).toEqual(['restricted']);
    expect(foldRestriction(restricted.scope, word(1, false)).tell).toEqual([]);
  });

  it('a grant with another end is told again', () => {
    expect(fold([word(1, true, { until: 10 }), word(2, true, { until: 20 }), word(3, true, { until: 20 })]).told).toEqual(['granted', 'restricted', 'granted']);
  });

  it('what is said now is later than everything before, also by a clock that runs ahead', () => {
    expect(saidNow(undefined, 5)).toEqual({ at: 5, seq: 0 });
    expect(saidNow(word(9, true), 5)).toEqual({ at: 9, seq: 10 });
    expect(saidNow(word(4, true), 5)).toEqual({ at: 5, seq: 0 });
  });

  it('in whatever order words arrive, and however often, the last one holds and was the last to be told', () => {
    const words = fc.uniqueArray(
      fc.record({ at: fc.integer({ min: 0, max: 5 }), seq: fc.integer({ min: 0, max: 20 }), granted: fc.boolean(), by: fc.constant('iam') }),
      {
        selector: ({ seq }) => seq,
        minLength: 1,
        maxLength: 8,
      },
    );
    const arrivals = words.chain((said) =>
      fc
        .tuple(fc.constant(said), fc.array(fc.constantFrom(...said), { maxLength: 6 }))
        .chain(([all, repeats]) => fc.shuffledSubarray([...all, ...repeats], { minLength: all.length + repeats.length }).map((arrived) => ({ all, arrived }))),
    );
    fc.assert(
      fc.property(arrivals, ({ all, arrived }) => {
        const last = [...all].sort((a, b) => a.at - b.at || a.seq - b.seq).at(-1) as Said;
        const { known, told } = fold(arrived);
        expect(known.user).toEqual(last);
        expect(known.scope !== undefined).toBe(all.some(({ granted }) => granted));
        expect(told.filter((one) => one === 'restricted')).toHaveLength(known.scope === undefined ? 0 : 1);
        expect(told.findLast((one) => one !== 'restricted')).toBe(last.granted ? 'granted' : 'revoked');
        expect(fold(arrived, known).told).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
