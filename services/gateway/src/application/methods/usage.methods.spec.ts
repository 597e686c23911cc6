import type { MethodCall } from './method-context.js';
import { usageMethods } from './usage.methods.js';

const DAYS = ['2026-11-22', '2026-11-21', '2026-11-20', '2026-11-19'];

/** A scheduler that keeps so many rows of each day, and answers with as many as are wanted. */
function callOf(rowsPerDay: number, limits: number[] = []): MethodCall {
  const ask = async (_rpc: unknown, { from, to, limit }: { from: string; to: string; limit: number }) => {
    limits.push(limit);
    const rows = DAYS.filter((day) => day >= from && day <= to).flatMap((day) =>
      Array.from({ length: rowsPerDay }, (_, index) => ({
        day,
        sessionId: `s${index}`,
        model: 'm',
        calls: 1,
        tokensIn: 1,
        tokensOut: 0,
        lastAt: `${day}T10:00:00Z`,
      })),
    );
    return { rows: rows.slice(0, limit), more: rows.length > limit };
  };
  return { ask, services: { now: () => Date.parse('2026-11-22T12:00:00Z') } } as unknown as MethodCall;
}

describe('usage of a busy tenant', () => {
  it('is asked for in answers that fit into a message, and every row counts once', async () => {
    const limits: number[] = [];
    const answer = await usageMethods['usage.cost']({ days: 4 }, callOf(700, limits));
    expect(answer).toMatchObject({
      totals: { totalTokens: 2_800 },
      daily: [{ totalTokens: 700 }, { totalTokens: 700 }, { totalTokens: 700 }, { totalTokens: 700 }],
    });
    expect(answer).not.toHaveProperty('truncated');
    expect(limits.length).toBeGreaterThan(1);
    // A row is at most some 700 bytes, a message 1 MiB.
    expect(Math.max(...limits)).toBeLessThanOrEqual(1_400);
  });

  it('says when it is not all, and ends', async () => {
    expect(await usageMethods['usage.cost']({ days: 4 }, callOf(1_200))).toMatchObject({ totals: { totalTokens: 1_000 }, truncated: true });
    expect(await usageMethods['usage.cost']({ days: 4 }, callOf(0))).toMatchObject({ totals: { totalTokens: 0 }, daily: [] });
  });
});
