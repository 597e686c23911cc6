import { FakeClock } from '@plexus/kernel';
import { MeteredAgent } from './metered-agent.js';
import type { Agent, AgentTurn, ModelPiece } from './ports.js';

const turn: AgentTurn = { message: 'x', history: [], sessionId: 's', runId: 'r', resume: false };
const usage = (input_tokens: number, output_tokens: number, model?: string): ModelPiece => ({
  type: 'usage',
  usage: { input_tokens, output_tokens },
  ...(model !== undefined && { model }),
});

function bench(run: (clock: FakeClock) => AsyncGenerator<ModelPiece>) {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const warnings: string[] = [];
  const agent: Agent = { run: () => run(clock) };
  const calls = { tell: async (sessionId: string, method: string, params: unknown) => void told.push([sessionId, method, params]) };
  return { metered: new MeteredAgent({ agent, calls, clock, log: (_, message) => void warnings.push(message) }), told, warnings, calls };
}

async function read(pieces: AsyncIterable<ModelPiece>): Promise<string[]> {
  const types: string[] = [];
  for await (const piece of pieces) types.push(piece.type);
  return types;
}

const never = new AbortController().signal;

describe('the usage of model calls', () => {
  it('is told per call with the model that was asked and the time that the successful attempt took; nothing else changes', async () => {
    const { metered, told } = bench(async function* (clock) {
      await clock.advance(5_000);
      yield { type: 'reset' };
      await clock.advance(700);
      yield { type: 'text', text: 'hi' };
      yield usage(3, 4, 'big');
    });
    expect(await read(metered.run({ ...turn, model: 'other' }, never))).toEqual(['reset', 'text', 'usage']);
    expect(told).toEqual([['s', 'usage_report', { model: 'big', tokens_in: 3, tokens_out: 4, latency_ms: 700, run_id: 'r' }]]);
  });

  it('is told under the name that the turn gives when the endpoint gives none, and not at all without a session', async () => {
    const { metered, told } = bench(async function* () {
      yield usage(1, 2);
    });
    await read(metered.run({ ...turn, model: 'other' }, never));
    await read(metered.run(turn, never));
    await read(metered.run({ message: 'x', history: [] }, never));
    expect(told).toMatchObject([
      ['s', 'usage_report', { model: 'other' }],
      ['s', 'usage_report', { model: 'default' }],
    ]);
    expect(told).toHaveLength(2);
  });

  it('says what of the input the endpoint had cached, where it does', async () => {
    const { metered, told } = bench(async function* () {
      yield { type: 'usage', usage: { input_tokens: 9, output_tokens: 1 }, cached: { read: 7, written: 2 } };
    });
    await read(metered.run(turn, never));
    expect(told).toMatchObject([['s', 'usage_report', { tokens_in: 9, cache_read_tokens: 7, cache_write_tokens: 2 }]]);
  });

  it('that cannot be told does not spoil the answer', async () => {
    const { metered, warnings, calls } = bench(async function* () {
      yield usage(1, 2);
    });
    calls.tell = () => Promise.reject(new Error('no'));
    expect(await read(metered.run(turn, never))).toEqual(['usage']);
    await Promise.resolve();
    expect(warnings).toEqual(['usage of a model call could not be reported']);
  });
});
