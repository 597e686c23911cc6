import { estimateMessageTokens } from '@plexus/context-window';
import { FakeClock } from '@plexus/kernel';
import { asOfFallback } from '../../domain/model-error.js';
import { ConversationWindow } from './conversation-window.js';
import type { ContextState, ConversationMessage, ConversationWindowOptions, Prepared } from './types.js';

const signal = new AbortController().signal;
const said = (role: 'user' | 'assistant', tokens: number, name = ''): ConversationMessage => ({ role, text: name.padEnd((tokens - 4) * 4, 'x') });
/** A conversation of exactly so many tokens by our estimate, in turns of a thousand. */
function conversationOf(tokens: number): ConversationMessage[] {
  const messages = Array.from({ length: Math.floor(tokens / 1_000) }, (_, index) => said(index % 2 === 0 ? 'user' : 'assistant', 1_000, `m${index} `));
  const rest = tokens - messages.length * 1_000;
  return rest > 4 ? [...messages, said('user', rest)] : messages;
}
const message = (tokens: number): ConversationMessage => said('user', tokens, 'new ');
const tooLong = (text = 'context_length_exceeded') => ({
  statusCode: 400,
  responseBody: JSON.stringify({ error: { message: text, code: 'context_length_exceeded' } }),
});

function make(options: Partial<ConversationWindowOptions> = {}) {
  const clock = new FakeClock();
  const seen = { flushes: 0, summaries: 0 };
  const window = new ConversationWindow({
    clock,
    log: () => undefined,
    flushMemories: async () => {
      seen.flushes += 1;
      return { written: 1 };
    },
    summarise: async () => {
      seen.summaries += 1;
      return 'what was said';
    },
    ...options,
  });
  return {
    clock,
    seen,
    window,
    prepare: (conversation: readonly ConversationMessage[], fresh?: ConversationMessage) => window.prepare(conversation, fresh, { signal }),
  };
}
const kinds = (prepared: Prepared | undefined) => prepared?.notes.map(({ kind }) => kind);
const overflowed = async ({ window }: ReturnType<typeof make>, conversation: readonly ConversationMessage[], text?: string) =>
  window.onOverflow(conversation, tooLong(text), { signal });

describe('before a model call', () => {
  it('memories are flushed at 176 000 tokens of 200 000 and not at 175 999, once per compaction cycle', async () => {
    const below = make();
    expect(kinds(await below.prepare(conversationOf(170_000), message(5_999)))).toEqual([]);
    const at = make();
    const prepared = await at.prepare(conversationOf(170_000), message(6_000));
    expect(kinds(prepared)).toEqual(['flushed']);
    expect(prepared.messages).toHaveLength(171);
    expect(kinds(await at.prepare(prepared.conversation, message(1_000)))).toEqual([]);
    expect(at.seen.flushes).toBe(1);
  });

  it('the older part becomes a summary at 180 000, the newest messages stay the very objects they were', async () => {
    const { prepare, seen, window } = make();
    const before = conversationOf(179_000);
    const fresh = message(1_000);
    const { conversation, messages, notes } = await prepare(before, fresh);
    expect(notes.map(({ kind }) => kind)).toEqual(['flushed', 'compacted']);
    expect(seen).toEqual({ flushes: 1, summaries: expect.any(Number) });
    expect(conversation[0]).toMatchObject({ summary: true, role: 'user', text: expect.stringContaining('what was said') });
    expect(conversation.slice(1, -1)).toEqual(before.slice(-20));
    for (const [index, one] of conversation.slice(1, -1).entries()) expect(one).toBe(before.at(-20 + index));
    expect(conversation.at(-1)).toBe(fresh);
    expect(messages).toEqual(conversation);
    expect(window.state()).toMatchObject({ compactions: 1, flushedAt: 0 });
  });

  it('a summary is built on by the next one', async () => {
    const asked: string[] = [];
    const { prepare } = make({
      summarise: async ({ user }) => {
        asked.push(user);
        return `summary ${asked.length}`;
      },
    });
    const first = await prepare(conversationOf(180_000), message(1_000));
    const before = asked.length;
    const second = await prepare([...first.conversation, ...conversationOf(170_000)], message(1_000));
    expect(asked[before]).toContain(`<earlier-summary>\nsummary ${before}`);
    expect(second.conversation.filter(({ summary }) => summary)).toHaveLength(1);
  });

  it('results of tools are pruned when the cache is cold, stay so, and are kept whole', async () => {
    const result: ConversationMessage = { role: 'tool', text: 'r'.repeat(300_000), toolCallId: 'c', toolName: 'read' };
    const conversation: ConversationMessage[] = [
      { role: 'user', text: 'go' },
      { role: 'assistant', text: '', toolCalls: [{ id: 'c', name: 'read' }] },
      result,
      ...conversationOf(6_000),
    ];
    const { clock, prepare } = make({ prune: { mode: 'cache-ttl' } });
    expect(kinds(await prepare(conversation, message(100)))).toEqual([]);
    await clock.advance(5 * 60_000);
    const pruned = await prepare(conversation, message(100));
    expect(pruned.notes).toEqual([{ kind: 'pruned', trimmed: 1, cleared: 0 }]);
    expect(pruned.messages[2]?.text.length).toBeLessThan(4_000);
    expect(pruned.conversation[2]).toBe(result);
    // The cache is warm again; sending the whole result once more would make it cold.
    expect((await prepare(conversation, message(100))).messages[2]).toBe(pruned.messages[2]);
  });

  it('a window below 16 000 tokens is refused, one below 32 000 is warned of once', async () => {
    const small = make({ limits: { configuredTokens: 31_999 } });
    expect((await small.prepare([], message(10))).notes).toEqual([{ kind: 'small_window', tokens: 31_999 }]);
    expect(kinds(await small.prepare([], message(10)))).toEqual([]);
    await expect(make({ limits: { configuredTokens: 15_999 } }).prepare([], message(10))).rejects.toMatchObject({ code: 'CONTEXT_WINDOW_TOO_SMALL' });
  });

  it('what the endpoint counted counts, also where our estimate is lower', async () => {
    const { prepare, window } = make();
    const { conversation } = await prepare(conversationOf(90_000), message(1_000));
    window.noteUsage({ input_tokens: 178_000, output_tokens: 10 });
    expect(kinds(await prepare([...conversation, said('assistant', 10)], message(10)))).toEqual(['flushed']);
    // An estimate that was too low by half is so for what comes as well.
    expect(window.state().tokenFactor).toBeCloseTo(178 / 91, 3);
  });

  it('a message that is larger than the window is refused with a sentence that helps', async () => {
    await expect(make().prepare([], message(190_000))).rejects.toMatchObject({ code: 'CONTEXT_TOO_LONG', message: expect.stringContaining('200000 tokens') });
  });
});

describe('what fails on the way', () => {
  it('without a model for summaries nothing is lost: the oldest messages do not go along, and are kept', async () => {
    const { prepare } = make({ summarise: undefined });
    const before = conversationOf(190_000);
    const { messages, conversation, notes } = await prepare(before, message(1_000));
    expect(notes.map(({ kind }) => kind)).toEqual(['flushed', 'compaction_failed', 'left_out']);
    expect(conversation).toHaveLength(191);
    expect(messages.length).toBeLessThan(191);
    expect(messages[0]?.role).toBe('user');
    expect(messages.at(-1)?.text).toContain('new');
  });

  it('a summary is tried three times on the clock; then the conversation stays, and the turn does not ask again', async () => {
    const { clock, prepare, seen } = make({
      summarise: async () => {
        seen.summaries += 1;
        throw new Error('overloaded');
      },
    });
    const before = conversationOf(190_000);
    const running = prepare(before, message(1_000));
    await clock.advance(60_000);
    const prepared = await running;
    expect(kinds(prepared)).toEqual(['flushed', 'compaction_failed', 'left_out']);
    expect(seen.summaries).toBe(3);
    expect(prepared.conversation.slice(0, -1)).toEqual(before);
    await prepare(prepared.conversation);
    expect(seen.summaries).toBe(3);
  });

  it('an empty summary is none', async () => {
    const { clock, prepare } = make({ summarise: async () => ' ' });
    const running = prepare(conversationOf(190_000), message(1_000));
    await clock.advance(60_000);
    expect(kinds(await running)).toContain('compaction_failed');
  });

  it('a flush that fails is not tried again in its cycle and stops nothing', async () => {
    const { prepare, seen } = make({
      flushMemories: async () => {
        seen.flushes += 1;
        throw new Error('no');
      },
    });
    const first = await prepare(conversationOf(177_000), message(10));
    expect(first.notes).toEqual([{ kind: 'flush_failed', reason: 'no' }]);
    await prepare(first.conversation, message(10));
    expect(seen.flushes).toBe(1);
  });

  it.each(['flush', 'summary'])('the abort of the caller is final during a %s, and the state is what it was', async (which) => {
    const stop = new AbortController();
    const never = async () => {
      stop.abort();
      throw new Error('closed');
    };
    const { window, seen } = make(which === 'flush' ? { flushMemories: never } : { summarise: never });
    await expect(window.prepare(conversationOf(190_000), message(10), { signal: stop.signal })).rejects.toThrow();
    expect(window.state()).toMatchObject({ compactions: 0, flushedAt: which === 'flush' ? null : 0 });
    expect(seen.summaries).toBe(0);
  });
});

describe('the reported faults are closed', () => {
  it('(1) the reserve is at most half of the window, so a small or odd setting does not disable the flush', async () => {
    const small = make({ limits: { configuredTokens: 24_000 } });
    // 24 000, less half, less 4 000.
    expect(kinds(await small.prepare(conversationOf(7_000), message(999)))).toEqual(['small_window']);
    expect(kinds(await small.prepare(conversationOf(7_000), message(1_000)))).toEqual(['flushed']);
    const odd = make({ limits: { configuredTokens: 100_000, reserveTokens: 500_000 } });
    expect(kinds(await odd.prepare(conversationOf(45_000), message(1_000)))).toEqual(['flushed']);
  });

  it('(2) never flushed is null, not zero: the first cycle has its flush', async () => {
    const { prepare, window } = make();
    expect(window.state()).toMatchObject({ compactions: 0, flushedAt: null });
    expect(kinds(await prepare(conversationOf(176_000), message(10)))).toEqual(['flushed']);
    expect(window.state().flushedAt).toBe(0);
  });

  it('(3) the decision counts the stored tokens and the new message: 60 000 arriving at 150 000 flush before the turn', async () => {
    const { prepare } = make();
    const { notes, conversation } = await prepare(conversationOf(150_000), message(60_000));
    expect(notes.map(({ kind }) => kind)).toEqual(['flushed', 'compacted']);
    expect(estimateMessageTokens(conversation.at(-1) as ConversationMessage)).toBe(60_000);
  });

  it('(4) the endpoint refuses the length: memories are flushed there too, before anything is summarised', async () => {
    const it = make();
    const { conversation } = await it.prepare(conversationOf(100_000), message(1_000));
    const again = await overflowed(it, conversation);
    expect(kinds(again)).toEqual(['limit_learned', 'flushed', 'compacted']);
    expect(again?.messages.at(-1)?.text).toContain('new');
    expect(it.window.state()).toMatchObject({ compactions: 1, flushedAt: 0 });
  });

  it('(5) a flush triggers neither a compaction nor another flush, and a compaction that frees less than 5 % is not repeated', async () => {
    const inside: (string[] | undefined)[] = [];
    const nested = make({
      flushMemories: async () => {
        nested.seen.flushes += 1;
        const full = conversationOf(190_000);
        inside.push(kinds(await nested.prepare(full, message(10))));
        expect(await overflowed(nested, full)).toBeUndefined();
        return { written: 0 };
      },
    });
    await nested.prepare(conversationOf(177_000), message(10));
    expect(nested.seen).toEqual({ flushes: 1, summaries: 0 });
    expect(inside).toEqual([['left_out']]);

    const wordy = make({
      summarise: async ({ user }) => {
        wordy.seen.summaries += 1;
        return 'w'.repeat(user.length);
      },
    });
    const before = [...conversationOf(8_000), said('user', 172_000)];
    const first = await wordy.prepare(before, undefined);
    expect(first.notes).toContainEqual({ kind: 'compaction_failed', reason: 'it would have freed less than 5 %' });
    expect(first.conversation).toEqual(before);
    const summaries = wordy.seen.summaries;
    await wordy.prepare(first.conversation, undefined);
    await wordy.prepare(first.conversation, message(10));
    expect(wordy.seen).toEqual({ flushes: 1, summaries });
  });

  it('(6) the window is the smallest real limit that is known, that of a refusal included, for this model alone', async () => {
    const it = make({ limits: { configuredTokens: 128_000, modelTokens: 200_000, agentTokens: 150_000 } });
    it.window.useModel('a', { configuredTokens: 128_000, modelTokens: 200_000, agentTokens: 150_000 });
    expect(it.window.window.tokens).toBe(128_000);
    const { conversation } = await it.prepare(conversationOf(40_000), message(10));
    expect((await overflowed(it, conversation, 'maximum context length is 32768 tokens'))?.notes[0]).toEqual({ kind: 'limit_learned', tokens: 32_768 });
    expect(it.window.window.tokens).toBe(32_768);
    it.window.useModel('b', { configuredTokens: 64_000 });
    expect(it.window.window.tokens).toBe(64_000);
  });
});

describe('an endpoint that refuses the length', () => {
  it('and is a fallback lowers the window for this turn alone', async () => {
    const it = make();
    const { conversation } = await it.prepare(conversationOf(60_000), message(10));
    const refusal = asOfFallback(tooLong('maximum context length is 32768 tokens'));
    expect(kinds(await it.window.onOverflow(conversation, refusal, { signal }))).toEqual(['limit_learned', 'flushed', 'compacted']);
    expect(it.window.window.tokens).toBe(32_768);
    await it.prepare(conversation, message(10));
    expect(it.window.window.tokens).toBe(200_000);
  });

  it('gets less each time, and is not asked for ever', async () => {
    const it = make();
    let current: Prepared | undefined = await it.prepare(conversationOf(60_000), message(3_000));
    const sizes: number[] = [];
    while (current !== undefined) {
      sizes.push(current.messages.reduce((sum, one) => sum + estimateMessageTokens(one), 0));
      current = await overflowed(it, current.conversation);
    }
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.length).toBeLessThanOrEqual(4);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(it.seen.flushes).toBe(1);
  });

  it('and names less than can be worked with ends the run with a sentence about it', async () => {
    const it = make();
    const { conversation } = await it.prepare(conversationOf(20_000), message(10));
    await expect(overflowed(it, conversation, 'maximum context length is 8192 tokens')).rejects.toEqual(
      expect.objectContaining({ code: 'CONTEXT_WINDOW_TOO_SMALL', message: expect.stringContaining('8192') }),
    );
  });

  it('leads to shortened results where there is nothing older to summarise', async () => {
    const it = make({ limits: { configuredTokens: 40_000 } });
    const conversation: ConversationMessage[] = [
      message(10),
      { role: 'assistant', text: '', toolCalls: [{ id: 'c', name: 'read' }] },
      { role: 'tool', text: 'r'.repeat(400_000), toolCallId: 'c', toolName: 'read' },
    ];
    const { messages, conversation: kept } = await it.prepare(conversation, undefined);
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
    expect(messages[2]?.text).toContain('[Shortened: 400000 characters.]');
    expect(kept[2]?.text).toHaveLength(400_000);
  });
});

it('what was known is known again after a restart', async () => {
  const first = make();
  await first.prepare(conversationOf(180_000), message(1_000));
  const state = JSON.parse(JSON.stringify(first.window.state())) as ContextState;
  const second = make({ state });
  expect(second.window.state()).toEqual(first.window.state());
  expect(second.window.state()).toMatchObject({ compactions: 1, flushedAt: 0 });
});
