import { estimateMessageTokens, groupsOf } from '@plexus/context-window';
import { FakeClock } from '@plexus/kernel';
import fc from 'fast-check';
import { ConversationWindow } from './conversation-window.js';
import { fitRequest } from './fit-request.js';
import { factorFrom, storedTokens, tokensOf } from './token-count.js';
import type { ConversationMessage } from './types.js';

/** A turn: a question, calls with their results, an answer; sizes in characters. */
const turnOf = (index: number, [question, answer, results]: [number, number, number[]]): ConversationMessage[] => [
  { role: 'user', text: `q${index} `.padEnd(question, 'x') },
  ...results.flatMap((size, call): ConversationMessage[] => [
    { role: 'assistant', text: '', toolCalls: [{ id: `c${index}-${call}`, name: 'read', arguments: '{}' }] },
    { role: 'tool', text: 'r'.repeat(size), toolCallId: `c${index}-${call}`, toolName: 'read' },
  ]),
  { role: 'assistant', text: `a${index} `.padEnd(answer, 'y') },
];
const size = fc.oneof(fc.nat(400), fc.nat(20_000), fc.nat(90_000));
const turns = (maxLength: number) => fc.array(fc.tuple(fc.nat(4_000), fc.nat(4_000), fc.array(size, { maxLength: 4 })), { maxLength });
/** Texts are made within the properties: a counterexample is a few numbers. */
const told = (shapes: readonly [number, number, number[]][]) => shapes.map((shape, index) => turnOf(index, shape));

function expectWhole(messages: readonly ConversationMessage[]): void {
  const called = new Set(messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id)));
  const answered = new Set(messages.flatMap(({ toolCallId }) => (toolCallId === undefined ? [] : [toolCallId])));
  expect([...called].sort()).toEqual([...answered].sort());
}

interface Story {
  readonly window: number;
  readonly turns: [number, number, number[]][];
  /** Turns at which the endpoint refuses once. */
  readonly refusals: ReadonlySet<number>;
  readonly summaries: 'short' | 'long' | 'failing';
  readonly prune: boolean;
}
const story: fc.Arbitrary<Story> = fc.record({
  window: fc.integer({ min: 16_000, max: 60_000 }),
  turns: turns(8),
  refusals: fc.array(fc.nat(8)).map((list) => new Set(list)),
  summaries: fc.constantFrom('short', 'short', 'long', 'failing'),
  prune: fc.boolean(),
});

/** Plays a conversation turn by turn, each step a model call, and looks at every request. */
async function play({ window: tokens, turns: shapes, refusals, summaries, prune }: Story) {
  const clock = new FakeClock();
  // Waits of the clock are over at once; the number of tries is what matters here.
  const hurried = Object.assign(Object.create(clock) as FakeClock, { sleep: async () => undefined });
  const flushesIn = new Map<number, number>();
  const window: ConversationWindow = new ConversationWindow({
    clock: hurried,
    log: () => undefined,
    limits: { configuredTokens: tokens },
    prune: { mode: prune ? 'cache-ttl' : 'off', minClearableChars: 10_000 },
    flushMemories: async () => {
      const cycle = window.state().compactions;
      flushesIn.set(cycle, (flushesIn.get(cycle) ?? 0) + 1);
      return { written: 0 };
    },
    summarise: async ({ user }) => {
      if (summaries === 'failing') throw new Error('no');
      return summaries === 'short' ? 'summary' : 's'.repeat(user.length);
    },
  });
  const { signal } = new AbortController();
  let conversation: readonly ConversationMessage[] = [];
  for (const [index, [question, ...rest]] of told(shapes).entries()) {
    await clock.advance(6 * 60_000);
    let fresh = question;
    for (const group of [[], ...groupsOf(rest)]) {
      conversation = [...conversation, ...group];
      const before = conversation;
      let prepared = await window.prepare(before, fresh, { signal });
      if (refusals.has(index) && group.length === 0) {
        prepared = (await window.onOverflow(prepared.conversation, { message: 'context_length_exceeded', code: 400 }, { signal })) ?? prepared;
      }
      expectWhole(prepared.messages);
      expectWhole(prepared.conversation);
      // The message to be answered goes along and stays, the very same object; only one that fills the window gives way.
      if (estimateMessageTokens(question as ConversationMessage) <= 4_000) expect(prepared.messages.includes(question as ConversationMessage)).toBe(true);
      if (fresh !== undefined) expect(prepared.conversation.at(-1)).toBe(fresh);
      // What is kept was there before, object by object and in its order, behind at most one summary; the newest group is never part of it.
      const whole = fresh === undefined ? before : [...before, fresh];
      const places = prepared.conversation.flatMap((one, at) => (at === 0 && one.summary === true && one !== whole[0] ? [] : [whole.indexOf(one)]));
      expect(places).toEqual([...places].sort((x, y) => x - y));
      const newest = fresh === undefined ? group.length : 1;
      expect(places.slice(-newest)).toEqual(Array.from({ length: newest }, (_, at) => whole.length - newest + at));
      expect(places).not.toContain(-1);
      conversation = prepared.conversation;
      fresh = undefined;
    }
  }
  return { flushesIn, window };
}

it('whatever is said: a call stays with its result, protected messages are never touched, and a cycle has at most one flush', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (lived) => {
      const { flushesIn, window } = await play(lived).catch((error: { code?: string }) => {
        // A message, or one step's calls, that alone are more than the window.
        if (error.code === 'CONTEXT_TOO_LONG' || error.code === 'CONTEXT_WINDOW_TOO_SMALL') return { flushesIn: new Map<number, number>(), window: undefined };
        throw error;
      });
      expect(Math.max(0, ...flushesIn.values())).toBeLessThanOrEqual(1);
      // No cycle is closed without its flush.
      const closed = window?.state().compactions ?? 0;
      expect(flushesIn.size).toBeLessThanOrEqual(closed + 1);
    }),
    { numRuns: 30 },
  );
});

it('a request that had to be cut fits, keeps order, question and newest group, and never changes what a person wrote', () => {
  fc.assert(
    fc.property(turns(10), fc.integer({ min: 500, max: 30_000 }), (shapes, room) => {
      const messages = told(shapes).flat();
      const fitted = fitRequest(messages, room, 1);
      if (fitted === undefined) return;
      expect(tokensOf(fitted.messages, 1)).toBeLessThanOrEqual(room);
      expectWhole(fitted.messages);
      expect(fitted.messages.length + fitted.leftOut).toBe(messages.length);
      const places = fitted.messages.map((one) =>
        messages.findIndex((other) => other === one || (one.toolCallId !== undefined && other.toolCallId === one.toolCallId)),
      );
      expect(places).toEqual([...places].sort((a, b) => a - b));
      for (const [at, one] of fitted.messages.entries()) if (one.role !== 'tool') expect(one === messages[places[at] as number]).toBe(true);
      const question = messages.findLast(({ role }) => role === 'user');
      if (question !== undefined) expect(fitted.messages.includes(question)).toBe(true);
      if (messages.length > 0) expect(places.at(-1)).toBe(messages.length - 1);
    }),
    { numRuns: 50 },
  );
});

describe('an estimate is never below', () => {
  const alphabets = ['abcdefghij ', 'äöüéèñçøß', 'приветмир', '漢字仮名交じり', '👋🚀🙂'];
  const words = fc.tuple(fc.constantFrom(...alphabets), fc.array(fc.integer({ min: 200, max: 2_000 }), { minLength: 2, maxLength: 6 }), fc.nat(1_000));
  /** Letters in an order of their own for every seed. */
  const textOf = (alphabet: string, length: number, seed: number) => {
    const letters = [...alphabet];
    return Array.from({ length }, (_, at) => letters[(at * 7 + seed * (1 + (at % 5))) % letters.length]);
  };
  const message = (letters: readonly (string | undefined)[]): ConversationMessage => ({ role: 'user', text: letters.join('') });
  const bytes = (messages: readonly ConversationMessage[]) => messages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);

  it('what the endpoint counted, whatever came after it', () => {
    fc.assert(
      fc.property(
        turns(4),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 4 }),
        (shapes, tokens, answerTokens, tokenFactor) => {
          const messages = told(shapes).flat();
          const state = { compactions: 0, flushedAt: null, tokenFactor };
          for (let count = 0; count <= messages.length; count += 1) {
            const load = storedTokens(messages, 100, { ...state, counted: { tokens, answerTokens, messages: count } });
            expect(load).toBeGreaterThanOrEqual(tokens);
            if (messages[count]?.role === 'assistant') expect(load).toBeGreaterThanOrEqual(tokens + answerTokens);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('a tokeniser that makes a token of every byte, once it has counted a conversation in the same letters', () => {
    fc.assert(
      fc.property(words, ([alphabet, lengths, seed]) => {
        const [later, ...earlier] = lengths.map((length) => message(textOf(alphabet, length, seed))) as [ConversationMessage, ...ConversationMessage[]];
        // Large enough that roles and separators say nothing about the tokeniser.
        const counted = Array.from({ length: 20 }, () => earlier).flat();
        const factor = factorFrom(bytes(counted), tokensOf(counted, 1), 1);
        // What a message costs beside its words was in the count as well: allow for it.
        expect(tokensOf([later], factor) * 1.2).toBeGreaterThanOrEqual(bytes([later]));
        expect(factor).toBeLessThanOrEqual(8);
      }),
    );
  });

  it('a tokeniser of whole words and of pieces of four letters, before anything was counted', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 200 }), (list) => {
        const text = list.join(' ');
        // Every word begins with its space, as usual tokenisers have it, and costs a token for each five characters begun.
        const tokens = list.reduce((sum, word) => sum + Math.max(1, Math.floor((word.length + 1) / 5)), 0);
        const estimate = estimateMessageTokens({ text });
        if (list.every((word) => word.length >= 3)) expect(estimate * 1.2).toBeGreaterThanOrEqual(tokens);
        expect(estimate).toBeGreaterThanOrEqual(Buffer.byteLength(text) / 4);
      }),
    );
  });
});
