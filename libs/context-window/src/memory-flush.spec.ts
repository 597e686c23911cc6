import fc from 'fast-check';
import { compactionThreshold, flushPrompts, flushThreshold, shouldFlush, stepsBeforeTurn, TurnCompactions } from './memory-flush.js';
import { windowFor } from './window.js';

const load = (storedTokens: number, newTokens = 0, transcriptBytes = 0) => ({ storedTokens, newTokens, transcriptBytes });
const fresh = { compactions: 0, flushedAt: null };
const window = windowFor();

describe('memory flush (D6)', () => {
  it('comes at 176 000 of 200 000 tokens and not at 175 999', () => {
    expect(flushThreshold(window)).toBe(176_000);
    expect([175_999, 176_000].map((tokens) => shouldFlush(fresh, load(tokens), window))).toEqual([false, true]);
  });

  it('comes once per compaction cycle, also before the first compaction', () => {
    expect(shouldFlush({ compactions: 0, flushedAt: 0 }, load(190_000), window)).toBe(false);
    expect(shouldFlush({ compactions: 1, flushedAt: 0 }, load(190_000), window)).toBe(true);
    expect(shouldFlush({ compactions: 1, flushedAt: 1 }, load(190_000), window)).toBe(false);
  });

  it('still comes in a window of 24 000, whatever reserve is wished for', () => {
    expect(flushThreshold(windowFor({ configuredTokens: 24_000 }))).toBe(8_000);
    expect(flushThreshold(windowFor({ configuredTokens: 24_000, reserveTokens: 500_000 }))).toBe(8_000);
    expect(shouldFlush(fresh, load(8_000), windowFor({ configuredTokens: 24_000 }))).toBe(true);
  });

  it('counts the message that is about to come: 60 000 tokens at 150 000 flush before the turn', () => {
    expect(shouldFlush(fresh, load(150_000), window)).toBe(false);
    expect(stepsBeforeTurn(fresh, load(150_000, 60_000), window)).toEqual(['flush', 'compact']);
    expect(stepsBeforeTurn(fresh, load(150_000, 27_000), window)).toEqual(['flush']);
  });

  it('is forced by a transcript of 2 MiB, and by none when that is switched off', () => {
    expect([2_097_151, 2_097_152].map((bytes) => shouldFlush(fresh, load(10, 0, bytes), window))).toEqual([false, true]);
    expect(shouldFlush(fresh, load(10, 0, 9e9), window, { enabled: true, softTokens: 4_000, transcriptBytes: 0 })).toBe(false);
    expect(shouldFlush(fresh, load(190_000), window, { enabled: false, softTokens: 4_000, transcriptBytes: 1 })).toBe(false);
  });

  it('goes before every compaction, wherever the need for it was noticed', () => {
    expect(new TurnCompactions().onOverflow(fresh)).toEqual(['flush', 'compact']);
    expect(new TurnCompactions().onOverflow({ compactions: 2, flushedAt: 2 })).toEqual(['compact']);
  });

  it('neither flushes nor compacts from within, and repeats no compaction that freed less than a twentieth', async () => {
    const turn = new TurnCompactions();
    await turn.during(async () => expect(turn.onOverflow(fresh)).toEqual([]));
    await expect(turn.during(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(turn.onOverflow(fresh)).toEqual(['flush', 'compact']);
    turn.compacted(100_000, 90_000);
    expect(turn.onOverflow({ compactions: 1, flushedAt: 1 })).toEqual(['compact']);
    turn.compacted(100_000, 96_000);
    expect(turn.onOverflow({ compactions: 2, flushedAt: null })).toEqual([]);
  });

  it('tells the agent to stay silent, once', () => {
    const { system, user } = flushPrompts('2026-11-21', { system: 'Answer NO_REPLY if nothing matters.' });
    expect(system.match(/NO_REPLY/g)).toHaveLength(1);
    expect(user).toContain('2026-11-21');
    expect(user).toContain('NO_REPLY');
  });

  it('never lets a compaction come before its flush, for any window and load', () => {
    fc.assert(
      fc.property(
        fc.nat(300_000),
        fc.nat(400_000),
        fc.nat(100_000),
        fc.nat(4_000_000),
        fc.nat(3),
        fc.option(fc.nat(3)),
        (tokens, stored, fresh_, bytes, compactions, flushedAt) => {
          const any = windowFor({ configuredTokens: tokens + 1 });
          expect(flushThreshold(any)).toBeLessThanOrEqual(compactionThreshold(any));
          const steps = stepsBeforeTurn({ compactions, flushedAt }, load(stored, fresh_, bytes), any);
          if (steps.includes('compact') && flushedAt !== compactions) expect(steps).toEqual(['flush', 'compact']);
          if (flushedAt === compactions) expect(steps).not.toContain('flush');
        },
      ),
    );
  });
});
