import { FakeClock } from '@plexus/kernel';
import { EchoAgent, whyNoModel } from './echo-agent.js';

async function pieces(agent: EchoAgent, message: string, clock: FakeClock): Promise<string[]> {
  const said: string[] = [];
  const running = (async () => {
    for await (const piece of agent.run({ message, history: [] }, new AbortController().signal)) if (piece.type === 'text') said.push(piece.text);
  })();
  await clock.advance(60_000);
  await running;
  return said;
}

describe('echo agent', () => {
  it('says what it was told, that it only echoes, why, and what to do about it', async () => {
    const clock = new FakeClock();
    const said = await pieces(new EchoAgent(whyNoModel({}), clock), 'two  words\n', clock);
    expect(said.join('')).toMatch(
      /^You said: two {2}words\n\n\n\(I only echo: no language model is configured\. To talk to a model, set PLEXUS_MODEL_BASE_URL.*PLEXUS_MODEL.*PLEXUS_MODEL_API_KEY/,
    );
    expect(said.length).toBeGreaterThan(5);
  });

  it('names the one setting that is missing', () => {
    expect(whyNoModel({ baseUrl: 'http://x' })).toMatch(/PLEXUS_MODEL is not/);
    expect(whyNoModel({ model: 'm' })).toMatch(/PLEXUS_MODEL_BASE_URL is not/);
  });

  it('echoes a very long message in a bounded number of pieces and loses nothing of it', async () => {
    const clock = new FakeClock();
    const message = 'word '.repeat(40_000);
    const said = await pieces(new EchoAgent('why.', clock), message, clock);
    expect(said.length).toBeLessThanOrEqual(200);
    expect(said.join('')).toContain(message);
  });

  it.each(['', '   ', '\n', '👋', 'x'.repeat(100_000)])('keeps %.10j as it is', async (message) => {
    const clock = new FakeClock();
    expect((await pieces(new EchoAgent('why.', clock), message, clock)).join('')).toContain(`You said: ${message}\n\n(I only echo: why.`);
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const said: string[] = [];
    const running = (async () => {
      for await (const piece of new EchoAgent('why.').run({ message: 'x', history: [] }, controller.signal)) {
        if (piece.type === 'text') said.push(piece.text);
        controller.abort();
      }
    })();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(said).toHaveLength(1);
  });
});
