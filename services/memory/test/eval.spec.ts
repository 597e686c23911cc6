import { generate, QUERY_KINDS, SEEDS } from '../eval/dataset.ts';
import { bootstrap, compare, ndcg, recallAll, recallAny, reciprocalRank } from '../eval/metrics.ts';
import { PUBLIC_FACTS, questionOf, sentenceOf } from '../eval/public-facts.ts';
import { Random } from '../eval/random.ts';

describe('metrics of retrieval', () => {
  const gold = new Map([
    ['a', 2],
    ['b', 1],
    ['c', 2],
  ] as const);

  it('recall counts answers within the first k', () => {
    expect([1, 2].map((k) => recallAny(['b', 'a'], gold, k))).toEqual([0, 1]);
    expect([1, 2, 3].map((k) => recallAll(['a', 'x', 'c'], gold, k))).toEqual([0.5, 0.5, 1]);
  });

  it('nDCG is 1 for the best order, 0 without anything relevant, and falls with the rank', () => {
    expect(ndcg(['a', 'c', 'b'], gold)).toBe(1);
    expect(ndcg(['x', 'y'], gold)).toBe(0);
    // (3/log2(3)) / (3/log2(2) + 3/log2(3) + 1/log2(4))
    expect(ndcg(['x', 'a'], gold)).toBeCloseTo(1.89279 / 5.39279, 5);
    expect(ndcg(['b', 'a', 'c'], gold)).toBeLessThan(1);
  });

  it('the reciprocal rank is that of the first answer among ten', () => {
    expect(reciprocalRank(['b', 'x', 'c'], gold)).toBeCloseTo(1 / 3);
    expect(reciprocalRank([...Array.from({ length: 10 }, (_, n) => `x${n}`), 'a'], gold)).toBe(0);
  });

  it('intervals hold the mean and are the same each time; differences within chance are ties', () => {
    const values = Array.from({ length: 200 }, (_, n) => n % 2);
    const interval = bootstrap(values);
    expect(interval).toEqual(bootstrap(values));
    expect(interval.mean).toBe(0.5);
    expect(interval.low).toBeGreaterThan(0.4);
    expect(interval.low).toBeLessThan(0.5);
    expect(interval.high).toBeLessThan(0.6);
    expect(compare(values, values)).toBe('tie');
    expect(
      compare(
        values,
        values.map(() => 0),
      ),
    ).toBe('better');
    expect(
      compare(
        values.map(() => 0),
        values,
      ),
    ).toBe('worse');
    expect(compare([1, 0, 0, 1], [0, 1, 1, 0])).toBe('tie');
  });
});

describe('the generated set', () => {
  it('is the same for the same seed, and another for held-out figures', () => {
    expect(generate(SEEDS.dev)).toEqual(generate(SEEDS.dev));
    const texts = (seed: number) => new Set(generate(seed).queries.map(({ text }) => text));
    expect(SEEDS.dev).not.toBe(SEEDS['held-out']);
    expect(texts(SEEDS.dev)).not.toEqual(texts(SEEDS['held-out']));
    expect(new Random(1).next()).toBeCloseTo(0.6270739405881613, 12);
  });

  it.each(Object.entries(SEEDS))('%s: every query has an answer that can be found, and every kind is asked often enough', (_name, seed) => {
    const { memories, queries } = generate(seed);
    const keys = new Set(memories.map(({ key }) => key));
    expect(keys.size).toBe(memories.length);
    expect(new Set(memories.map(({ content }) => content)).size).toBe(memories.length);
    const replaced = new Set(memories.map(({ replaces }) => replaces));
    for (const { gold } of queries) {
      expect([...gold.values()]).toContain(2);
      for (const key of gold.keys()) expect(keys.has(key) && !replaced.has(key)).toBe(true);
    }
    for (const kind of QUERY_KINDS) expect([kind, queries.filter((one) => one.kind === kind).length >= 15]).toEqual([kind, true]);
    const order = new Map(memories.map(({ key }, index) => [key, index]));
    for (const { key, replaces } of memories) if (replaces !== undefined) expect(order.get(replaces)).toBeLessThan(order.get(key) as number);
  });

  it('says facts as a person would', () => {
    const fact = PUBLIC_FACTS[0] as (typeof PUBLIC_FACTS)[number];
    expect([sentenceOf(fact, 'en'), sentenceOf(fact, 'zh')]).toEqual(['The capital of France is Paris.', '法国的首都是巴黎。']);
    expect([questionOf(fact, 'en'), questionOf(fact, 'zh')]).toEqual(['What is the capital of France?', '法国的首都是哪里?']);
    for (const one of PUBLIC_FACTS) {
      for (const language of ['en', 'zh'] as const) {
        expect(sentenceOf(one, language)).toContain(one.subject[language]);
        expect(sentenceOf(one, language)).toContain(one.answer[language]);
        expect(questionOf(one, language)).toContain(one.subject[language]);
      }
    }
  });
});
