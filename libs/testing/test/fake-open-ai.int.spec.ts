import { type FakeOpenAi, type FakeScript, startFakeOpenAi } from '../src/index.js';

describe('the OpenAI-compatible stand-in', () => {
  let server: FakeOpenAi | undefined;
  afterEach(async () => {
    await server?.stop();
  });

  async function ask(script: FakeScript, stream: boolean, times = 1, signal?: AbortSignal): Promise<Response[]> {
    server = await startFakeOpenAi(script);
    const responses: Response[] = [];
    for (let round = 0; round < times; round += 1) {
      const body = JSON.stringify({ model: 'fake', stream, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'hi' }] });
      responses.push(
        await fetch(`${server.baseUrl}/chat/completions`, { method: 'POST', body, headers: { authorization: 'Bearer k' }, ...(signal ? { signal } : {}) }),
      );
    }
    return responses;
  }

  it('streams its pieces one by one, then usage and the end', async () => {
    const [response] = await ask([{ kind: 'text', pieces: ['a', 'b'], usage: { input: 3, output: 2 } }], true);
    const events = (await response?.text())?.split('\n\n').filter((line) => line !== '') ?? [];
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((line) => JSON.parse(line.slice('data: '.length)));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean)).toEqual(['a', 'b']);
    expect(chunks.at(-1).usage).toEqual({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
    expect(server?.requests).toMatchObject([{ model: 'fake', stream: true, authorization: 'Bearer k' }]);
  });

  it('answers at once when no stream was asked for, and repeats the last entry of its script', async () => {
    const responses = await ask(
      [
        { kind: 'error', status: 429, retryAfterSeconds: 2 },
        { kind: 'text', pieces: ['x', 'y'] },
      ],
      false,
      3,
    );
    expect(responses.map(({ status }) => status)).toEqual([429, 200, 200]);
    expect(responses[0]?.headers.get('retry-after')).toBe('2');
    expect(await responses[2]?.json()).toMatchObject({ choices: [{ message: { content: 'xy' }, finish_reason: 'stop' }] });
  });

  it('can hang and can cut its answer', async () => {
    await expect(ask([{ kind: 'hang' }], true, 1, AbortSignal.timeout(100))).rejects.toThrow(/timeout|abort/i);
    await server?.stop();
    const [response] = await ask([{ kind: 'cut', pieces: ['half'] }], true);
    await expect(response?.text()).rejects.toThrow();
  });
});
