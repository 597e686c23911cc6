import fc from 'fast-check';
import { chunkLimit, chunkRatio, chunksWithin, dropOldestHalves, isOversized, splitByTokens } from './chunk.js';
import { type ContextMessage, groupsOf, withoutOrphanedResults } from './message.js';
import { estimateHistoryTokens, estimateMessageTokens, estimateTokens } from './token-estimate.js';

const of = (tokens: number): ContextMessage => ({ role: 'user', text: 'x'.repeat((tokens - 4) * 4) });

/** Any history: calls with one, two or no results, results without a call, in any order. */
const anyHistory = fc
  .array(
    fc.oneof(
      fc.record({ kind: fc.constant('text' as const), role: fc.constantFrom('user' as const, 'assistant' as const), size: fc.nat(4_000) }),
      fc.record({ kind: fc.constant('call' as const), id: fc.nat(5), size: fc.nat(400) }),
      fc.record({ kind: fc.constant('result' as const), id: fc.nat(5), size: fc.nat(8_000) }),
    ),
    { maxLength: 40, size: 'max' },
  )
  .map((parts) => {
    // Ids are unique per call, as endpoints make them.
    const current = new Map<number, string>();
    return parts.map((part, index): ContextMessage => {
      if (part.kind === 'text') return { role: part.role, text: 'x'.repeat(part.size) };
      if (part.kind === 'call') {
        current.set(part.id, `c${part.id}-${index}`);
        return { role: 'assistant', text: '', toolCalls: [{ id: `c${part.id}-${index}`, name: 'exec', arguments: 'y'.repeat(part.size) }] };
      }
      return { role: 'tool', text: 'z'.repeat(part.size), toolName: 'exec', toolCallId: current.get(part.id) ?? `none-${index}` };
    });
  });

/** Where the call of each result is, for those that have one. */
const splitCalls = (parts: readonly (readonly ContextMessage[])[]) => {
  const partOf = new Map<string, number>();
  for (const [part, messages] of parts.entries()) for (const { toolCalls } of messages) for (const { id } of toolCalls ?? []) partOf.set(id, part);
  return parts.flatMap((messages, part) => messages.filter(({ toolCallId }) => toolCallId !== undefined && (partOf.get(toolCallId) ?? part) !== part));
};

describe('estimates', () => {
  it('count Latin letters a quarter, other alphabets a half, ideographs one and emoji two tokens', () => {
    expect(['abcd', 'жжжж', '数据库', '🎉', 'ab数'].map(estimateTokens)).toEqual([1, 2, 3, 2, 2]);
    expect(estimateMessageTokens({ text: 'abcd', images: 1, toolCalls: [{ id: '1', name: 'exec', arguments: '{}' }] })).toBe(1 + 4 + 2_000 + 1 + 1 + 4);
  });

  it('are never below a quarter of the length, and the parts never count less than the whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'binary', maxLength: 80 }), (a, b) => {
        expect(estimateTokens(a)).toBeGreaterThanOrEqual(Math.ceil(a.length / 4));
        expect(estimateTokens(a) + estimateTokens(b)).toBeGreaterThanOrEqual(estimateTokens(a + b));
        expect(estimateTokens(a + b)).toBeGreaterThanOrEqual(estimateTokens(a));
      }),
    );
  });
});

describe('chunks', () => {
  it('fill 0.4 of the window, less where messages are large, never less than 0.15', () => {
    expect(chunkRatio([], 100_000)).toBe(0.4);
    expect(chunkRatio([of(8_000)], 100_000)).toBe(0.4);
    expect(chunkRatio([of(10_000)], 100_000)).toBeCloseTo(0.16);
    expect(chunkRatio([of(50_000)], 100_000)).toBeCloseTo(0.15);
    expect(chunkLimit([of(100)], 100_000)).toBe(Math.floor((40_000 - 4_096) / 1.2));
    expect(chunkLimit([of(100)], 5_000)).toBe(1);
  });

  it('leave out what alone is more than half of the window', () => {
    expect([41_666, 41_667].map((tokens) => isOversized(of(tokens), 100_000))).toEqual([false, true]);
  });

  it('hold everything once and in order, and split no call from its result', () => {
    fc.assert(
      fc.property(anyHistory, fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5 }), (messages, limit, parts) => {
        for (const list of [chunksWithin(messages, limit), splitByTokens(messages, parts), groupsOf(messages)]) {
          expect(list.flat()).toEqual(messages);
          expect(list.every(({ length }) => length > 0)).toBe(true);
          expect(splitCalls(list)).toEqual([]);
        }
        expect(splitByTokens(messages, parts).length).toBeLessThanOrEqual(parts);
        for (const chunk of chunksWithin(messages, limit)) {
          if (groupsOf(chunk).length > 1) expect(estimateHistoryTokens(chunk)).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('drop the older half until the rest fits, oldest first, without splitting a call from its result', () => {
    expect(dropOldestHalves([of(100), of(100), of(100), of(100)], 250)).toEqual({ kept: [of(100), of(100)], dropped: [of(100), of(100)] });
    fc.assert(
      fc.property(anyHistory, fc.nat(5_000), (messages, limit) => {
        const { kept, dropped } = dropOldestHalves(messages, limit);
        expect([...dropped, ...kept]).toEqual(messages);
        expect(estimateHistoryTokens(kept)).toBeLessThanOrEqual(limit);
        expect(splitCalls([dropped, kept])).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('results without their call are left out, and only those', () => {
    const call: ContextMessage = { role: 'assistant', text: '', toolCalls: [{ id: '1', name: 'exec' }] };
    const result: ContextMessage = { role: 'tool', text: 'r', toolCallId: '1' };
    expect(withoutOrphanedResults([result, call, result])).toEqual([call, result]);
  });
});
