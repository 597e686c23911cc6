import fc from 'fast-check';
import type { ContextMessage } from './message.js';
import { CLEARED_RESULT, pruneToolResults } from './prune.js';
import { charsOf } from './token-estimate.js';

const WINDOW = 40_000; // 160 000 characters
const user = (text = 'do it'): ContextMessage => ({ role: 'user', text });
const says = (text = 'done'): ContextMessage => ({ role: 'assistant', text });
const result = (size: number, rest: Partial<ContextMessage> = {}): ContextMessage => ({ role: 'tool', text: 'r'.repeat(size), toolName: 'exec', ...rest });
const COLD = { windowTokens: WINDOW, nowMs: 1_000_000, lastCacheTouchMs: 1_000_000 - 5 * 60_000 };
const prune = (messages: ContextMessage[], occasion = COLD, settings = {}) => pruneToolResults(messages, occasion, { mode: 'cache-ttl', ...settings });
/** Results of the given sizes behind a question, and three answers behind them. */
const history = (...sizes: number[]) => [user(), ...sizes.map((size) => result(size)), says('one'), says('two'), says('three')];

describe('pruning of tool results (D8)', () => {
  it('leaves a history below 0.3 of the window untouched, and gives back the very same array', () => {
    const messages = history(20_000, 26_400); // 46 414 of 160 000
    expect(prune(messages)).toEqual({ messages, trimmed: 0, cleared: 0 });
    expect(prune(messages).messages).toBe(messages);
  });

  it('above 0.3 shortens long results to 1 500 + 1 500 characters and a note', () => {
    const long = `${'a'.repeat(2_000)}${'b'.repeat(44_000)}${'c'.repeat(2_000)}`;
    const messages = [user(), result(0, { text: long }), result(4_000), says(), says(), says()];
    const { messages: pruned, trimmed, cleared } = prune(messages);
    expect([trimmed, cleared]).toEqual([1, 0]);
    expect(pruned[1]?.text).toBe(`${'a'.repeat(1_500)}\n…\n${'c'.repeat(1_500)}\n[Shortened: the first 1500 and the last 1500 of 48000 characters.]`);
    expect(pruned.filter((_, index) => index !== 1)).toEqual(messages.filter((_, index) => index !== 1));
  });

  it('at 0.6 with 60 000 prunable characters clears the oldest results until below 0.5', () => {
    // Results of 4 000 characters are too short to be shortened: only clearing is left.
    const messages = [user('q'.repeat(36_000)), ...Array.from({ length: 15 }, () => result(4_000)), says(), says(), says()];
    const { messages: pruned, trimmed, cleared } = prune(messages);
    expect([trimmed, cleared]).toEqual([0, 5]);
    expect(pruned.slice(1, 7).map(({ text }) => text.length)).toEqual([...Array.from({ length: 5 }, () => CLEARED_RESULT.length), 4_000]);
    const ratio = pruned.reduce((sum, message) => sum + charsOf(message), 0) / (WINDOW * 4);
    expect(ratio).toBeLessThan(0.5);
  });

  it('clears nothing below 50 000 prunable characters, or where clearing is switched off', () => {
    const messages = [user('q'.repeat(60_000)), ...Array.from({ length: 12 }, () => result(4_000)), says(), says(), says()];
    expect(prune(messages)).toMatchObject({ cleared: 0 });
    expect(prune(messages, COLD, { minClearableChars: 1, hardClear: false })).toMatchObject({ cleared: 0 });
    expect(prune(messages, COLD, { minClearableChars: 1 }).cleared).toBeGreaterThan(0);
  });

  it('protects everything from the third-last assistant message on, and before the first user message', () => {
    const messages = [result(60_000), user(), says(), result(60_000), says(), result(60_000), says()];
    expect(prune(messages)).toMatchObject({ trimmed: 0, cleared: 0 });
  });

  it.each([
    ['with fewer than three assistant messages', [user(), result(100_000), says(), says()], COLD, {}],
    ['while the cache is warm', history(100_000), { ...COLD, lastCacheTouchMs: COLD.nowMs - 5 * 60_000 + 1 }, {}],
    ['when no use of the cache is on record', history(100_000), { windowTokens: WINDOW, nowMs: 1 }, {}],
    ['unless it is switched on', history(100_000), COLD, { mode: 'off' }],
    ['of a denied tool', history(100_000), COLD, { tools: { allow: ['exec'], deny: ['e*'] } }],
    ['of a tool that is not allowed', history(100_000), COLD, { tools: { allow: ['read*'], deny: [] } }],
  ] as const)('prunes nothing %s', (_when, messages, occasion, settings) => {
    expect(prune([...messages], occasion as typeof COLD, settings)).toMatchObject({ trimmed: 0, cleared: 0 });
  });

  it('keeps the pictures of the last three results that have any', () => {
    const messages = [user(), ...[1, 2, 3, 4, 5].map(() => result(10, { images: 2 })), says(), says(), says()];
    const { messages: pruned, trimmed } = prune(messages);
    expect(trimmed).toBe(2);
    expect(pruned.map(({ images }) => images)).toEqual([undefined, 0, 0, 2, 2, 2, undefined, undefined, undefined]);
    expect(pruned[1]?.text).toContain('2 picture(s)');
  });

  it('splits no surrogate pair', () => {
    const { messages } = prune([user(), result(0, { text: '🎉'.repeat(40_000) }), says(), says(), says()], COLD, { headChars: 1_501, tailChars: 1_501 });
    expect(messages[1]?.text).not.toMatch(/(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])/);
  });

  it('never touches a protected message, order, ids or roles, and never makes a history longer than a note per result', () => {
    const message = fc.oneof(
      fc.record({ role: fc.constant('user' as const), text: fc.string({ maxLength: 50 }) }),
      fc.record({ role: fc.constant('assistant' as const), text: fc.string({ maxLength: 50 }) }),
      fc.record({
        role: fc.constant('tool' as const),
        text: fc.nat(30_000).map((size) => 'x'.repeat(size)),
        toolCallId: fc.constantFrom('a', 'b', 'c'),
        toolName: fc.constantFrom('exec', 'read'),
        images: fc.nat(2),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 40, size: 'max' }),
        fc.integer({ min: 1_000, max: 60_000 }),
        fc.nat(60_000),
        (messages, windowTokens, minClearableChars) => {
          const { messages: pruned } = prune(messages, { ...COLD, windowTokens }, { minClearableChars });
          expect(pruned).toHaveLength(messages.length);
          const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
          const tail = answers.at(-3) ?? 0;
          const first = messages.findIndex(({ role }) => role === 'user');
          for (const [index, after] of pruned.entries()) {
            const before = messages[index] as ContextMessage;
            if (before.role !== 'tool' || index < first || index >= tail) expect(after).toBe(before);
            else expect({ ...after, text: '', images: 0 }).toEqual({ ...before, text: '', images: 0 });
            expect(charsOf(after)).toBeLessThanOrEqual(charsOf(before) + 60);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
