import fc from 'fast-check';
import { probesOf, weigh } from './evidence.js';
import { asksForLikeness, MAX_UNITS, readQuery } from './query.js';
import { relevance } from './score.js';
import { documentTerms } from './tokeniser.js';

function evidence(query: string, text: string) {
  const units = readQuery(query);
  const probes = probesOf(units);
  const terms = new Set(documentTerms(text));
  const has = (term: string, prefix: boolean) => (prefix ? [...terms].some((t) => t.startsWith(term)) : terms.has(term));
  return weigh(units, probes, new Set(probes.flatMap(({ term, prefix }, position) => (has(term, prefix) ? [position] : []))));
}

describe('reading a query', () => {
  it('weighs digits and quotations double and stop words hardly at all', () => {
    const weights = (query: string) => readQuery(query).map(({ term, weight }) => [term, weight]);
    expect(weights('the ticket 4711')).toEqual([
      ['the', 1],
      ['ticket', 10],
      ['4711', 20],
    ]);
    expect(weights('say "exactly this" now')).toEqual([
      ['say', 10],
      ['exactly', 20],
      ['this', 20],
      ['now', 10],
    ]);
    expect(weights('我们 数据库')).toEqual([
      ['我们', 1],
      ['数据', 10],
      ['据库', 10],
    ]);
  });

  it('keeps the heaviest units of a long query, in their order', () => {
    const words = Array.from({ length: 200 }, (_, n) => (n % 4 === 0 ? `t${n}` : `w${'x'.repeat(n)}`));
    const units = readQuery(words.join(' '));
    expect(units).toHaveLength(MAX_UNITS);
    expect(units.filter(({ weight }) => weight === 20)).toHaveLength(50);
    expect(units.map(({ term }) => words.indexOf(term))).toEqual([...units.map(({ term }) => words.indexOf(term))].sort((a, b) => a - b));
  });

  it('answers single characters and queries without terms by likeness', () => {
    for (const query of ['数', '数 库', '🎉', "' | !", ':*', '']) expect(asksForLikeness(readQuery(query))).toBe(true);
    for (const query of ['数据', 'a', '数 x']) expect(asksForLikeness(readQuery(query))).toBe(false);
  });
});

describe('weighing', () => {
  it('counts coverage, not conjunction: words apart are found, and half of them is half', () => {
    expect(evidence('飞书插件配置', '飞书配置在这里，插件在那里').lex).toBeGreaterThan(0.5);
    expect(evidence('alpha beta', 'only alpha is here')).toMatchObject({ lex: 0.5, matched: ['alpha'], missing: ['beta'] });
  });

  it('finds identifiers by the whole, by all their parts, and a little by some', () => {
    for (const text of ['GitHub', 'github', 'GITHUB', 'git hub', 'hub-git']) expect(evidence('GitHub', text).lex).toBe(1);
    expect(evidence('user_id', 'the user Id').lex).toBe(1);
    expect(evidence('plexus-gateway', 'plexus docs')).toEqual({ lex: 0.5, matched: [], missing: ['plexus-gateway'] });
  });

  const words = fc.array(fc.constantFrom('alpha', 'beta', 'the', '42', 'GitHub', 'user_id', '数据库', '"quoted words"', '数'), { minLength: 1, maxLength: 12 });

  it('stays in 0..1 and never falls when a missing word is added (P3, P4)', () => {
    fc.assert(
      fc.property(words, words, words, (query, text, more) => {
        const before = evidence(query.join(' '), text.join(' ')).lex;
        const after = evidence(query.join(' '), [...text, ...more].join(' ')).lex;
        expect(before).toBeGreaterThanOrEqual(0);
        expect(after).toBeLessThanOrEqual(1);
        expect(after).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  it('is 1 exactly when nothing is missing (P6)', () => {
    fc.assert(
      fc.property(words, (text) => {
        expect(evidence(text.join(' '), text.join(' '))).toMatchObject({ lex: 1, missing: [] });
      }),
    );
  });
});

describe('the score', () => {
  it('is 0.8 for all words, 0.9 for perfect meaning, 0.98 for both, and 1 for equality alone', () => {
    expect(relevance({ lex: 1, equal: false })).toBe(0.8);
    expect(relevance({ lex: 0, sem: 1, equal: false })).toBe(0.9);
    expect(relevance({ lex: 1, sem: 1, equal: false })).toBe(0.98);
    expect(relevance({ lex: 0, equal: true })).toBe(1);
    expect(relevance({ lex: 0, equal: false })).toBe(0);
  });

  it('never falls with more evidence, and only equality reaches 1', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, share, (lex, sem, more) => {
        const score = relevance({ lex, sem, equal: false });
        expect(score).toBeLessThanOrEqual(0.98);
        expect(relevance({ lex: Math.min(1, lex + more), sem, equal: false })).toBeGreaterThanOrEqual(score);
        expect(relevance({ lex, sem: Math.min(1, sem + more), equal: false })).toBeGreaterThanOrEqual(score);
      }),
    );
  });
});
