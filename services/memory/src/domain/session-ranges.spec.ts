import { estimateTokens } from '@plexus/context-window';
import fc from 'fast-check';
import { episodesOf, lineOf } from './session-episodes.js';
import { cutAt, type SessionMessage } from './session-ranges.js';

const message = (seq: number, rest: Partial<SessionMessage> = {}): SessionMessage => ({ seq, role: 'user', text: `text ${seq}`, untrusted: false, ...rest });
const calls = (...ids: string[]) => ids.map((id) => ({ id, name: 'look', arguments: '{}' }));

/** Any conversation: calls, results with and without a call, in any order. */
const conversation = fc
  .array(
    fc.record({
      role: fc.constantFrom('user' as const, 'assistant' as const, 'tool' as const),
      call: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
      text: fc.string({ maxLength: 30 }),
    }),
    { maxLength: 25 },
  )
  .map((entries) =>
    entries.map(({ role, call, text }, index): SessionMessage => {
      if (call === undefined || role === 'user') return message(index + 1, { role: role === 'tool' ? 'assistant' : role, text });
      return message(index + 1, { role, text, ...(role === 'tool' ? { toolCallId: `c${call}` } : { toolCalls: calls(`c${call}`) }) });
    }),
  );

describe('where a session may be cut', () => {
  it('anywhere between plain messages', () => {
    expect(cutAt([message(4), message(5), message(6)], 5)).toBe(5);
    expect(cutAt([message(4), message(5)], 99)).toBe(5);
    expect(cutAt([message(4)], 3)).toBe(3);
    expect(cutAt([], 3)).toBe(0);
  });

  it('never between a call and its result', () => {
    const history = [message(1), message(2, { role: 'assistant', toolCalls: calls('a') }), message(3, { role: 'tool', toolCallId: 'a' }), message(4)];
    expect([1, 2, 3, 4].map((upto) => cutAt(history, upto))).toEqual([1, 1, 3, 4]);
  });

  it('not behind a call that still waits for its result, until the user has spoken again', () => {
    const waiting = [message(1), message(2, { role: 'assistant', toolCalls: calls('a') })];
    expect(cutAt(waiting, 2)).toBe(1);
    expect(cutAt([...waiting, message(3, { role: 'assistant' })], 3)).toBe(1);
    expect(cutAt([...waiting, message(3)], 3)).toBe(3);
  });

  it('splits no group, whatever the history', () => {
    fc.assert(
      fc.property(conversation, fc.nat(30), (messages, upto) => {
        const end = cutAt(messages, upto);
        expect(end).toBeLessThanOrEqual(Math.max(upto, (messages[0]?.seq ?? 1) - 1));
        const kept = new Set(messages.filter(({ seq }) => seq > end).flatMap(({ toolCallId }) => (toolCallId === undefined ? [] : [toolCallId])));
        for (const { seq, toolCalls } of messages) {
          if (seq > end) continue;
          for (const { id } of toolCalls ?? []) {
            const laterResult = messages.some((one) => one.seq > seq && one.toolCallId === id);
            if (laterResult && kept.has(id)) expect(messages.findLast((one) => one.toolCallId === id)?.seq).toBeLessThanOrEqual(end);
          }
        }
      }),
    );
  });
});

describe('episodes of a conversation', () => {
  it('hold every word of every message, in pieces of about 400 tokens, in order', () => {
    const long = Array.from({ length: 2_000 }, (_, n) => `word${n}`).join(' ');
    const messages = [
      message(1, { text: '备份在哪里?' }),
      message(2, { role: 'assistant', text: long }),
      message(3, { text: 'short' }),
      message(4, { text: '' }),
    ];
    const episodes = episodesOf(messages);
    expect(episodes[0]).toEqual({ content: 'user: 备份在哪里?', from: 1, to: 1, untrusted: false });
    expect(episodes.at(-1)).toEqual({ content: 'user: short', from: 3, to: 3, untrusted: false });
    for (const { content } of episodes) expect(estimateTokens(content)).toBeLessThanOrEqual(400);
    const all = episodes.map(({ content }) => content).join(' ');
    for (const word of long.split(' ')) expect(all).toContain(word);
  });

  it('keep a call and its result together, and tell whose words they are', () => {
    const messages = [
      message(1),
      message(2, { role: 'assistant', text: 'Looking.', toolCalls: [{ id: 'a', name: 'search', arguments: '{"q":"router"}' }] }),
      message(3, { role: 'tool', text: 'admin/admin', toolCallId: 'a', toolName: 'search', untrusted: true }),
    ];
    expect(episodesOf(messages)).toEqual([
      { content: 'user: text 1\nassistant: Looking.\nsearch({"q":"router"})\ntool search: admin/admin', from: 1, to: 3, untrusted: true },
    ]);
    expect(lineOf(message(1, { text: '  ' }))).toBe('');
  });

  it('are the same for the same messages, and cover all that say something', () => {
    fc.assert(
      fc.property(conversation, (messages) => {
        const episodes = episodesOf(messages);
        expect(episodesOf(messages)).toEqual(episodes);
        const all = episodes.map(({ content }) => content).join('\n');
        for (const one of messages) expect(all).toContain(one.text.trim());
      }),
    );
  });
});
