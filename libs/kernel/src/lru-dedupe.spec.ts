import { readFileSync } from 'node:fs';
import { LruDedupe } from './lru-dedupe.js';

type Step = { op: 'mark' | 'has' | 'size'; id?: string | null };
interface Vector {
  name: string;
  input: { limit: number | null; steps?: Step[]; generate?: { prefix: string; from: number; to: number }; then?: Step[] };
  expected: unknown[];
  alternative?: unknown[];
}
const vectors = JSON.parse(readFileSync(new URL('../test/vectors/dedupe.json', import.meta.url), 'utf8')) as Vector[];

describe('dedupe', () => {
  // Where the generations differ (a repeat refreshes or not), least-recently-used is ours: `alternative`.
  it.each(vectors.map((vector) => [vector.name, vector] as const))('vector: %s', (_, { input, expected, alternative }) => {
    const dedupe = new LruDedupe(input.limit === null ? {} : { limit: input.limit });
    if (input.generate) for (let i = input.generate.from; i <= input.generate.to; i++) dedupe.mark(`${input.generate.prefix}${i}`);
    const seen = [...(input.steps ?? []), ...(input.then ?? [])].map(({ op, id }) => (op === 'size' ? dedupe.size : dedupe[op](id)));
    expect(seen).toEqual(alternative ?? expected);
  });

  it('takes an id for new again after its time', () => {
    let now = 0;
    const dedupe = new LruDedupe({ ttlMs: 100, clock: { now: () => now } });
    expect(dedupe.mark('a')).toBe(true);
    now = 100;
    expect([dedupe.has('a'), dedupe.mark('a')]).toEqual([true, false]);
    now = 201;
    expect([dedupe.has('a'), dedupe.mark('a')]).toEqual([false, true]);
    dedupe.clear();
    expect(dedupe.size).toBe(0);
  });

  it('refuses a limit of nothing', () => {
    expect(() => new LruDedupe({ limit: 0 })).toThrow('0');
  });
});
