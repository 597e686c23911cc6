import fc from 'fast-check';
import type { ScoredMemory, SearchAnswer } from '../../application/search-memories.js';
import { toSearchAnswer } from './search-answer.js';

const hit = (content: string, rest: Partial<ScoredMemory> = {}): ScoredMemory => ({
  id: 'mem_1',
  place: { kind: 'user', id: 'me', owner: '' },
  namespace: '',
  kind: 'note',
  content,
  createdAt: new Date('2026-11-21T10:00:00Z'),
  evergreen: false,
  rev: 1,
  seenCount: 1,
  score: 0.8,
  rankScore: 0.8,
  matched: ['a'],
  missing: [],
  ...rest,
});
const answer = (hits: ScoredMemory[]): SearchAnswer => ({
  hits,
  mode: 'text',
  degraded: 'embedder_unavailable',
  semantic: false,
  order: 'score',
  exhausted: true,
  tookMs: 1,
});

describe('the answer of a search', () => {
  it('is whole when it fits', () => {
    const { hits } = toSearchAnswer(answer([hit('short')]));
    expect(hits).toEqual([expect.objectContaining({ content: 'short', createdAt: '2026-11-21T10:00:00.000Z', score: 0.8 })]);
    expect(hits[0]).not.toHaveProperty('contentTruncated');
    expect(hits[0]).not.toHaveProperty('place');
  });

  it('says which contents it cut, and leaves short ones alone', () => {
    const { hits } = toSearchAnswer(answer([hit('short'), ...Array.from({ length: 49 }, () => hit('数'.repeat(21_845)))]));
    expect(hits).toHaveLength(50);
    expect(hits[0]).not.toHaveProperty('contentTruncated');
    expect(hits[1]).toMatchObject({ contentTruncated: true });
    expect(hits[1]?.content.length).toBeGreaterThan(1_000);
  });

  it('fits one message whatever the hits hold', () => {
    const content = fc.constantFrom('\u0001'.repeat(65_536), '"'.repeat(65_536), 'x'.repeat(65_536), '🎉'.repeat(16_384), 'y');
    const terms = fc.constantFrom(
      [],
      Array.from({ length: 64 }, () => '𠀀'.repeat(64)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(content, terms), { maxLength: 50 }), (list) => {
        const hits = list.map(([text, missing]) => hit(text, { missing, metadata: { x: 'm'.repeat(8_000) } }));
        expect(Buffer.byteLength(JSON.stringify(toSearchAnswer(answer(hits))))).toBeLessThan(800 * 1_024);
      }),
      { numRuns: 30 },
    );
  });
});
