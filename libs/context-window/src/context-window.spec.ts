import fc from 'fast-check';
import { fitHistory } from './fit-history.js';
import { estimateMessageTokens, estimateTokens } from './token-estimate.js';
import { windowFor } from './window.js';

describe('window', () => {
  it('is the smallest known limit, and an agent can only lower it', () => {
    expect(windowFor().tokens).toBe(200_000);
    expect(windowFor({ configuredTokens: 128_000, reportedTokens: 32_768 }).tokens).toBe(32_768);
    expect(windowFor({ agentTokens: 1_000_000 }).tokens).toBe(200_000);
    expect(windowFor({ configuredTokens: 128_000, agentTokens: 50_000 }).tokens).toBe(50_000);
    expect(windowFor({ configuredTokens: Number.NaN, reportedTokens: -1, agentTokens: 0 }).tokens).toBe(200_000);
  });

  it('warns below 32 000 and refuses below 16 000', () => {
    expect([32_000, 31_999, 16_000, 15_999].map((configuredTokens) => windowFor({ configuredTokens }).verdict)).toEqual(['ok', 'small', 'small', 'too-small']);
  });

  it('keeps at most half of the window for the answer', () => {
    expect([200_000, 40_000, 24_000].map((configuredTokens) => windowFor({ configuredTokens }).reserveTokens)).toEqual([20_000, 20_000, 12_000]);
  });
});

describe('estimate', () => {
  it('counts four characters a token, rounded up', () => {
    expect(['', 'a', 'abcd', 'abcde'].map(estimateTokens)).toEqual([0, 1, 1, 2]);
    expect(estimateMessageTokens({ text: 'abcd' })).toBe(5);
  });
});

describe('history', () => {
  const turn = (role: 'user' | 'assistant', size: number) => ({ role, text: 'x'.repeat(size) });

  it('keeps the newest that fits, in order', () => {
    const history = [turn('user', 400), turn('assistant', 400), turn('user', 40), turn('assistant', 40)];
    expect(fitHistory(history, { tokens: 1_000, reserveTokens: 0 }, 0)).toEqual({ messages: history, dropped: 0 });
    expect(fitHistory(history, { tokens: 30, reserveTokens: 0 }, 0)).toEqual({ messages: history.slice(2), dropped: 2 });
    expect(fitHistory(history, { tokens: 30, reserveTokens: 0 }, 10)).toEqual({ messages: [], dropped: 4 });
  });

  it('never begins with an answer whose question was left out', () => {
    const history = [turn('user', 4_000), turn('assistant', 4), turn('user', 4)];
    expect(fitHistory(history, { tokens: 20, reserveTokens: 0 }, 0)).toEqual({ messages: [history[2]], dropped: 2 });
  });

  it('is a suffix that fits, and cannot be longer, for any history', () => {
    const message = fc.record({ role: fc.constantFrom('user', 'assistant'), text: fc.string({ maxLength: 60 }) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30, size: 'max' }), fc.nat(400), fc.nat(100), (history, tokens, fixed) => {
        const { messages, dropped } = fitHistory(history, { tokens, reserveTokens: 0 }, fixed);
        expect(messages).toEqual(history.slice(dropped));
        const cost = messages.reduce((sum, one) => sum + estimateMessageTokens(one), 0);
        if (messages.length > 0) expect(cost + fixed).toBeLessThanOrEqual(tokens);
        // What was left out begins either with one message too many, or with answers whose question did not fit.
        const longer = history.slice(Math.max(0, dropped - 1));
        const fits = longer.reduce((sum, one) => sum + estimateMessageTokens(one), 0) + fixed <= tokens;
        if (dropped > 0 && fits) expect(history[dropped - 1]?.role).toBe('assistant');
      }),
    );
  });
});
