import { FakeClock } from '@plexus/kernel';
import { classifyModelError, isOfFallback } from '../../domain/model-error.js';
import { ModelFailover } from '../../application/model-failover.js';
import { AgentFailure, type ModelPiece, type Turn } from '../../application/ports.js';
import { FailoverAgent } from './failover-agent.js';

type Behaviour = (call: number) => (ModelPiece | Error)[];
const text = (words: string): ModelPiece => ({ type: 'text', text: words });
const refused = (statusCode: number, message = 'no') =>
  new AgentFailure('MODEL_UNAVAILABLE', `It failed (${statusCode}).`, { cause: { statusCode, responseBody: JSON.stringify({ error: { message } }) } });

function bench(models: Record<string, Behaviour>, defaults: readonly string[] = []) {
  const clock = new FakeClock();
  const asked: Turn[] = [];
  const agent = new FailoverAgent({
    one: {
      async *run(turn) {
        asked.push(turn);
        const call = asked.filter(({ model }) => model === turn.model).length;
        for (const piece of models[turn.model as string]?.(call) ?? []) {
          if (piece instanceof Error) throw piece;
          yield piece;
        }
      },
    },
    identify: ({ model }) => model as string,
    failover: new ModelFailover({ clock, random: () => 0 }),
    defaults: () => defaults,
    clock,
    log: () => undefined,
  });
  const turn: Turn = { message: 'hi', history: [], model: 'first', contextTokens: 32_000, fallbacks: [{ model: 'second' }] };
  const run = async (more: Partial<Turn> = {}, signal = new AbortController().signal) => {
    const pieces: ModelPiece[] = [];
    for await (const piece of agent.run({ ...turn, ...more }, signal)) pieces.push(piece);
    return pieces;
  };
  return { clock, asked, run };
}

describe('a turn with fallbacks', () => {
  it('goes to the next model with a clean slate: what was said is void, window and endpoint are its own', async () => {
    const { run, asked } = bench({
      first: () => [text('half'), refused(401)],
      second: () => [text('whole'), { type: 'usage', usage: { input_tokens: 1, output_tokens: 1 } }],
    });
    expect(await run()).toEqual([
      text('half'),
      { type: 'reset' },
      text('whole'),
      { type: 'usage', usage: { input_tokens: 1, output_tokens: 1 }, model: 'second' },
    ]);
    expect(asked[1]).toEqual({ message: 'hi', history: [], model: 'second' });
  });

  it('has the fallbacks of the connection where it names none itself, at its own endpoint', async () => {
    const { run, asked } = bench({ first: () => [refused(401)], third: () => [text('ok')] }, ['first', 'third']);
    const endpoint = { offer: { provider: 'acme' }, boxName: 'b' };
    expect(await run({ fallbacks: undefined, endpoint })).toEqual([text('ok')]);
    expect(asked[1]).toEqual({ message: 'hi', history: [], model: 'third', endpoint });
  });

  it('waits on the clock before it asks the same model again', async () => {
    const { run, clock, asked } = bench({ first: (call) => (call === 1 ? [refused(429, 'try again in 1s')] : [text('there')]) });
    const running = run();
    await clock.advance(999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(await running).toEqual([text('there')]);
  });

  it('leaves a request that is too long to the window, with what the endpoint said', async () => {
    const { run, asked } = bench({ first: () => [refused(400, 'maximum context length is 8192 tokens')] });
    await expect(run()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', cause: { statusCode: 400 } });
    expect(asked).toHaveLength(1);
    const later = bench({ first: () => [refused(401)], second: () => [refused(400, 'maximum context length is 8192 tokens')] });
    const failure = await later.run().catch((error: AgentFailure) => error.cause);
    expect({ isFallback: isOfFallback(failure), ...classifyModelError(failure, 0) }).toEqual({
      isFallback: true,
      reason: 'context_overflow',
      status: 400,
      limitTokens: 8_192,
    });
  });

  it('passes over what cannot even be asked, and nothing else that is not about a model', async () => {
    const lost = new AgentFailure('MODEL_KEY_UNAVAILABLE', 'X is not set.');
    expect(await bench({ first: () => [lost], second: () => [text('ok')] }).run()).toEqual([text('ok')]);
    await expect(bench({ first: () => [lost], second: () => [lost] }).run()).rejects.toMatchObject({ code: 'MODEL_KEY_UNAVAILABLE' });
    const fenced = bench({ first: () => [new AgentFailure('UNAVAILABLE', 'held back')] });
    await expect(fenced.run()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(fenced.asked).toHaveLength(1);
  });

  it('ends at once when it is aborted, also while it waits', async () => {
    const stop = new AbortController();
    const { run, clock } = bench({ first: () => [refused(429, 'try again in 1s')] });
    const running = run({}, stop.signal);
    running.catch(() => undefined);
    await clock.advance(10);
    stop.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
  });
});
