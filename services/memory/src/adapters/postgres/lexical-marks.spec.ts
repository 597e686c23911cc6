import fc from 'fast-check';
import { type Probe, probesOf, weigh } from '../../domain/evidence.js';
import { readQuery } from '../../domain/query.js';
import { probesOfCorrections } from '../../domain/spelling.js';
import { marksOf } from './lexical-marks.js';

/** What Postgres makes of a mark: lexemes that must be there, and some with `!` that must not. */
function holds(query: string, terms: ReadonlySet<string>): boolean {
  return query.split(' & ').every((part) => {
    const prefix = part.endsWith(':*');
    const term = part.replace(/^!/, '').replace(/:\*$/, '').slice(1, -1);
    const there = prefix ? [...terms].some((one) => one.startsWith(term)) : terms.has(term);
    return part.startsWith('!') ? !there : there;
  });
}

const worth = (probes: readonly Probe[], terms: ReadonlySet<string>): number | undefined =>
  marksOf(probes)?.reduce((sum, { query, share }) => sum + (holds(query, terms) ? share : 0), 0);

/** As the service itself weighs: the best variant of each unit. */
function best(probes: readonly Probe[], terms: ReadonlySet<string>): number {
  const units = new Map<number, Map<number, number>>();
  for (const { unit, variant, share, term, prefix } of probes) {
    const variants = units.get(unit) ?? new Map<number, number>();
    units.set(unit, variants);
    if (holds(`'${term}'${prefix ? ':*' : ''}`, terms)) variants.set(variant, (variants.get(variant) ?? 0) + share);
  }
  return [...units.values()].reduce((sum, variants) => sum + Math.max(0, ...variants.values()), 0);
}

const WORDS = ['router', 'backup', 'gitBackup', 'git-backup', 'git', '404', 'v1.2', '1', '2', 'v1', '数据库', '库', 'the', '"cellar"', 'rooter', 'buckup'];

it('the sum of marks is the best variant of every unit, whatever a memory holds', () => {
  fc.assert(
    fc.property(fc.subarray(WORDS), fc.subarray([...WORDS, 'gitbackup', '数据', '据库', 'cellar']), (asked, held) => {
      const probes = probesOf(readQuery(asked.join(' ')));
      const terms = new Set(held);
      expect(worth(probes, terms)).toBe(best(probes, terms));
    }),
    { numRuns: 500 },
  );
});

it('other spellings count where nothing better is there', () => {
  const units = readQuery('router backup');
  const corrections = [
    { term: 'router', to: 'rooter', similarity: 0.5 },
    { term: 'router', to: 'routers', similarity: 0.7 },
    { term: 'backup', to: 'buckup', similarity: 0.4 },
  ];
  const probes = [...probesOf(units), ...probesOfCorrections(units, corrections)];
  for (const held of [['rooter'], ['routers'], ['rooter', 'routers'], ['router', 'rooter', 'buckup'], ['backup', 'routers'], []]) {
    expect(worth(probes, new Set(held))).toBe(best(probes, new Set(held)));
  }
});

it('is not possible where parts and spellings stand for the same term, or where there are too many', () => {
  const units = readQuery('gitBackup');
  expect(marksOf([...probesOf(units), ...probesOfCorrections(units, [{ term: 'gitbackup', to: 'gitbuckup', similarity: 0.6 }])])).toBeUndefined();
  expect(marksOf(probesOf(readQuery(Array.from({ length: 65 }, (_, n) => `a${n}-b${n}`).join(' '))))).toBeUndefined();
});

it('what a memory is worth is what the answer explains', () => {
  const units = readQuery('gitBackup 404 the 数据库');
  const probes = probesOf(units);
  const terms = new Set(['git', '404', '数据']);
  const found = new Set(probes.flatMap(({ term }, position) => (terms.has(term) ? [position] : [])));
  const total = units.reduce((sum, { weight }) => sum + weight, 0) * 720_720;
  expect((worth(probes, terms) as number) / total).toBeCloseTo(weigh(units, probes, found).lex, 9);
});
