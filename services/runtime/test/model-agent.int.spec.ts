import { once } from 'node:events';
import { type Agent, AgentFailure, type ModelPiece, type Turn } from '../src/application/ports.js';
import { ModelAgent, type ModelAgentOptions } from '../src/adapters/agents/model-agent.js';
import { type Answer, begin, delta, FakeModel, pausesAfter, refuses, says, speaksOn } from './support/fake-model.js';
import { until } from './support/runtime-process.js';

let model: FakeModel | undefined;

afterEach(async () => {
  await model?.stop();
  model = undefined;
});

async function agentFor(script: [Answer, ...Answer[]], options: Partial<ModelAgentOptions> = {}): Promise<Agent> {
  model = await FakeModel.start(...script);
  return agentAt(model.baseUrl, options);
}

function agentAt(baseUrl: string, options: Partial<ModelAgentOptions> = {}): Agent {
  return new ModelAgent({ baseUrl, model: 'm', log: () => undefined, beforeCall: async () => undefined, backoff: { baseMs: 1, capMs: 5 }, ...options });
}

const hello: Turn = { message: 'hello', history: [] };

async function collect(
  agent: Agent,
  turn: Turn = hello,
  signal = new AbortController().signal,
  onPiece: () => void = () => undefined,
): Promise<{ pieces: ModelPiece[]; text: string }> {
  const pieces: ModelPiece[] = [];
  let text = '';
  for await (const piece of agent.run(turn, signal)) {
    pieces.push(piece);
    onPiece();
    if (piece.type === 'reset') text = '';
    if (piece.type === 'text') text += piece.text;
  }
  return { pieces, text };
}

const failureOf = (agent: Agent): Promise<AgentFailure> =>
  collect(agent).then(
    () => Promise.reject(new Error('it did not fail')),
    (error: AgentFailure) => error,
  );

const brokenJson: Answer = (response) => {
  begin(response);
  response.end('data: {"choices":[{\n\n');
};

describe('model agent', () => {
  it('streams piece by piece and reports what was used', async () => {
    const { pieces, text } = await collect(await agentFor([says(['Hel', 'lo ', '👋'])]));
    expect(text).toBe('Hello 👋');
    expect(pieces.filter((piece) => piece.type === 'text')).toHaveLength(3);
    expect(pieces.at(-1)).toEqual({ type: 'usage', usage: { input_tokens: 11, output_tokens: 7 }, model: 'm' });
  });

  it('repeats no key, whatever an endpoint says that refuses it', async () => {
    const apiKey = 'sk-live-0123456789abcdef';
    for (const message of [`Incorrect API key provided: ${apiKey}.`, `${'x'.repeat(290)} ${apiKey}`]) {
      const failure = await failureOf(await agentFor([refuses(401, { error: { message } })], { apiKey }));
      expect(failure.message).toContain('refuses the key (401)');
      expect(failure.message).not.toContain('sk-live');
      await model?.stop();
    }
  });

  it('passes on what the model thinks, apart from the answer', async () => {
    const thinking: Answer = (response) => {
      begin(response);
      response.write(delta('', { content: null, reasoning_content: 'hmm' }));
      return says(['yes'])(Object.assign(response, { writeHead: () => response }), {} as never);
    };
    const { pieces, text } = await collect(await agentFor([thinking]));
    expect(pieces[0]).toEqual({ type: 'thinking', text: 'hmm' });
    expect(text).toBe('yes');
  });

  it.each([429, 500, 503])('tries again after %i', async (status) => {
    const agent = await agentFor([refuses(status, { error: { message: 'busy' } }), refuses(status, 'plain'), says(['there'])]);
    expect((await collect(agent)).text).toBe('there');
    expect(model?.requests).toHaveLength(3);
  });

  it('waits as long as the endpoint asks for', async () => {
    const agent = await agentFor([refuses(429, {}, { 'retry-after': '1' }), says(['there'])]);
    const started = performance.now();
    await collect(agent);
    expect(performance.now() - started).toBeGreaterThan(950);
  });

  it('voids what was said when the stream breaks in the middle, and says it again', async () => {
    let heard = (): void => undefined;
    const breaks = pausesAfter('half an ans', new Promise<void>((resolve) => (heard = resolve)), (response) => void response.destroy());
    const { pieces, text } = await collect(await agentFor([breaks, says(['whole answer'])]), hello, undefined, heard);
    expect(pieces.map((piece) => piece.type)).toEqual(['text', 'reset', 'text', 'usage']);
    expect(text).toBe('whole answer');
  });

  it('tries again when the endpoint falls silent', async () => {
    const silent: Answer = async (response) => {
      begin(response);
      response.write(delta('one'));
      await once(response, 'close');
    };
    const agent = await agentFor([silent, says(['two'])], { silenceMs: 200 });
    expect((await collect(agent)).text).toBe('two');
    await until('the silent request is closed', () => (model?.aborted ?? 0) >= 1);
  });

  it('gives up after its attempts with a sentence that helps', async () => {
    const agent = await agentFor([refuses(500, { error: { message: 'out of memory' } })]);
    const failure = await failureOf(agent);
    expect(failure).toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/^The model endpoint http:\/\/127\.0\.0\.1:\d+ failed \(500\).*“out of memory”$/),
    });
    expect(model?.requests).toHaveLength(4);
  });

  it.each<[number, unknown, RegExp]>([
    [401, { error: { message: 'Incorrect API key provided' } }, /refuses the key \(401\).*PLEXUS_MODEL_API_KEY.*“Incorrect API key provided”/],
    [404, { error: 'model "m" not found' }, /“m” \(404\).*PLEXUS_MODEL.*\/v1/],
    [400, '<html>no</html>', /refuses the request \(400\)\.$/],
  ])('does not try again after %i, and says what to check', async (status, body, sentence) => {
    const failure = await failureOf(await agentFor([refuses(status, body)]));
    expect(failure).toMatchObject({ code: 'MODEL_UNAVAILABLE', message: expect.stringMatching(sentence) });
    expect(model?.requests).toHaveLength(1);
  });

  it('says so when nothing answers at the address, or it is none', async () => {
    const agent = await agentFor([says(['x'])]);
    const gone = model?.baseUrl as string;
    await model?.stop();
    model = undefined;
    expect((await failureOf(agent)).message).toBe(`Nothing answers at ${new URL(gone).origin} (connection refused). Is the model server running?`);
    expect((await failureOf(agentAt('localhost:11434/v1'))).message).toContain('not an http or https address');
    expect((await failureOf(agentAt('http://user:hunter2@127.0.0.1:1/v1'))).message).not.toContain('hunter2');
  });

  it('takes an error within the stream for what it is', async () => {
    const broken: Answer = (response) => {
      begin(response);
      response.end('data: {"error":{"message":"context length exceeded","code":400}}\n\n');
    };
    expect(await failureOf(await agentFor([broken]))).toMatchObject({ code: 'MODEL_UNAVAILABLE', message: expect.stringContaining('context length exceeded') });
  });

  it.each<[string, Answer]>([
    ['an empty answer', says([])],
    ['a page instead of a stream', refuses(200, '<html>hi</html>')],
    ['broken JSON', brokenJson],
  ])('fails with a sentence, not with a crash, on %s', async (_, answer) => {
    const failure = await failureOf(await agentFor([answer]));
    expect(failure).toMatchObject({ code: 'MODEL_UNAVAILABLE', message: expect.stringMatching(/^The model /) });
  });

  it('closes the request at once when it is aborted', async () => {
    const agent = await agentFor([speaksOn()]);
    const controller = new AbortController();
    let said = 0;
    const running = collect(agent, hello, controller.signal, () => said++);
    const ended = expect(running).rejects.toMatchObject({ name: 'AbortError' });
    await until('some words', () => said > 2);
    controller.abort();
    await ended;
    await until('the request is closed', () => model?.aborted === 1);
  });

  it('begins no call, not even a repeated one, before it may', async () => {
    let open = false;
    let waits = 0;
    const beforeCall = async (): Promise<void> => {
      waits++;
      if (!open) throw new AgentFailure('UNAVAILABLE', 'held back');
    };
    const agent = await agentFor([refuses(500, {}), says(['x'])], { beforeCall });
    expect((await failureOf(agent)).message).toBe('held back');
    expect(model?.requests).toHaveLength(0);
    open = true;
    await collect(agent);
    expect(waits).toBe(3);
  });

  it('sends only the newest messages that fit into the window', async () => {
    const agent = await agentFor([says(['ok'])], { window: { tokens: 100, reserveTokens: 50, verdict: 'ok' } });
    const history = Array.from({ length: 20 }, (_, i) => ({ role: i % 2 === 0 ? ('user' as const) : ('assistant' as const), text: `message ${i}` }));
    await collect(agent, { message: 'now', history: [{ role: 'system', text: 'rules' }, ...history, { role: 'tool', text: 'ignored' }] });
    const sent = model?.requests[0]?.body.messages.map((one) => one.content);
    expect(sent?.[0]).toBe('rules');
    expect(sent?.slice(-3)).toEqual(['message 18', 'message 19', 'now']);
    expect(sent?.length).toBeLessThan(12);
  });
});
