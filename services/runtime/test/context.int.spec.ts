import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { MODEL_ENDPOINT_PURPOSE, sealBox } from '@plexus/vm-protocol';
import { fakeMessage, fakeSession } from './support/commands.js';
import { type Answer, asks, FakeModel, type ModelRequest, refuses, says } from './support/fake-model.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

const WAIT_MS = 60_000;
let gateway: GatewayStandIn;
let folder: ReturnType<typeof scratchFolder>;
let runtimes: RuntimeProcess[];
let models: FakeModel[];

beforeEach(async () => {
  gateway = await GatewayStandIn.start();
  folder = scratchFolder();
  runtimes = [];
  models = [];
});

afterEach(async () => {
  for (const runtime of runtimes) await runtime.kill();
  for (const model of models) await model.stop();
  await gateway.stop();
  folder.remove();
});

async function modelThat(answer: Answer): Promise<FakeModel> {
  const model = await FakeModel.start(answer);
  models.push(model);
  return model;
}

function launch(model?: FakeModel): RuntimeProcess {
  const env = model && { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'test-model' };
  const runtime = RuntimeProcess.launch({ url: gateway.url, workdir: folder.path, ...(env && { env }) });
  runtimes.push(runtime);
  return runtime;
}

async function run(runId: string, message: string, metadata: Record<string, unknown> = {}, history: unknown[] = []) {
  gateway.push(fakeMessage('s1', runId, message, metadata, history));
  await until(`the end of ${runId}`, () => gateway.endOf(runId) !== undefined, WAIT_MS);
  return gateway.endOf(runId);
}

const textOf = ({ body }: ModelRequest): string => body.messages.map(({ content }) => JSON.stringify(content)).join('\n');
/** What the runtime told the mesh without waiting for an answer. */
const told = (method: string) =>
  gateway.frames.flatMap((frame) =>
    frame.type === 'fire_and_forget' && (frame as { method?: string }).method === method ? [(frame as { params?: unknown }).params] : [],
  );

describe('a conversation that the endpoint finds too long', () => {
  const LIMIT = 20_000;
  const kindOf = (request: ModelRequest) => {
    const text = textOf(request);
    if (text.includes('You write the summary')) return 'summary';
    return text.includes('must outlive it') ? 'flush' : 'answer';
  };
  const behaves: Answer = (response, request) => {
    const kind = kindOf(request);
    if (JSON.stringify(request.body.messages).length / 4 > LIMIT)
      return refuses(400, { error: { message: `This model's maximum context length is ${LIMIT} tokens.`, code: 'context_length_exceeded' } })(
        response,
        request,
      );
    if (kind === 'summary') return says(['They spoke of the blue whale.'])(response, request);
    if (kind === 'answer') return says(['Here is your answer.'])(response, request);
    const isFirst = !request.body.messages.some(({ role }) => role === 'tool');
    return (isFirst ? asks({ id: 'm1', name: 'memory_write', input: { content: 'Likes blue whales', memory_type: 'fact' } }) : says(['NO_REPLY']))(
      response,
      request,
    );
  };
  const history = Array.from({ length: 60 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: `${index} blue whale `.padEnd(2_000, 'word '),
  }));

  it('is flushed into memories, then summarised, then answered; and goes on after a restart from its files alone', async () => {
    const model = await modelThat(behaves);
    const first = launch(model);
    gateway.push(fakeSession('s1'));
    expect(await run('r1', 'And now?', {}, history)).toMatchObject({ type: 'execution_complete', content: 'Here is your answer.' });
    const kinds = model.requests.map(kindOf);
    // Refused, flushed in two calls, summarised in some, answered.
    expect(kinds.slice(0, 3)).toEqual(['answer', 'flush', 'flush']);
    expect(kinds.at(-1)).toBe('answer');
    expect(new Set(kinds.slice(3, -1))).toEqual(new Set(['summary']));
    const answered = textOf(model.requests.at(-1) as ModelRequest);
    expect(answered).toContain('They spoke of the blue whale.');
    expect(answered).toContain('And now?');
    expect(answered).not.toContain('"0 blue whale');
    await until('the memory', () => told('memory_write').length === 1, WAIT_MS);
    expect(told('memory_write')).toEqual([expect.objectContaining({ content: 'Likes blue whales', memory_type: 'fact' })]);
    // Nobody sees what is said aside.
    expect(gateway.textOf('r1')).toBe('Here is your answer.');

    await first.kill();
    const [session] = readdirSync(path.join(folder.path, 'sessions'));
    const root = path.join(folder.path, 'sessions', session as string);
    expect(readFileSync(path.join(root, 'memory', 'conversation.md'), 'utf8')).toContain('They spoke of the blue whale.');
    rmSync(path.join(root, 'checkpoints'), { recursive: true });
    launch(model);
    expect(await run('r2', 'Once more?')).toMatchObject({ type: 'execution_complete' });
    const again = textOf(model.requests.at(-1) as ModelRequest);
    for (const part of ['They spoke of the blue whale.', 'And now?', 'Here is your answer.', 'Once more?']) expect(again).toContain(part);
  });
});

describe('a model that fails', () => {
  const offer = (runId: string, provider: string, model: FakeModel) => ({
    provider,
    sealed: [
      sealBox(
        'secret-1',
        { vmId: 'vm-1', epoch: 1, purpose: MODEL_ENDPOINT_PURPOSE, name: `s1/${runId}/${provider}` },
        JSON.stringify({ baseUrl: model.baseUrl, apiKey: `key-of-${provider}` }),
      ),
    ],
  });

  it('gives way to the fallback that came sealed with the run, and is passed over by the next run', async () => {
    const refusing = await modelThat(refuses(401, { error: { message: 'Incorrect API key provided' } }));
    const helping = await modelThat(says(['From the fallback.']));
    launch();
    gateway.push(fakeSession('s1'));
    const metadata = (runId: string) => ({
      model: 'large',
      model_endpoint: offer(runId, 'acme', refusing),
      model_endpoints_fallback: [
        { model: 'gone', provider: 'lost', fault: { code: 'MODEL_KEY_UNAVAILABLE', message: 'LOST_KEY is not set' } },
        { model: 'small', ...offer(runId, 'other', helping) },
      ],
    });
    for (const runId of ['r1', 'r2']) {
      expect(await run(runId, 'Hello?', metadata(runId))).toMatchObject({ type: 'execution_complete', content: 'From the fallback.' });
    }
    expect(refusing.requests).toHaveLength(1);
    expect(helping.requests.map(({ body, authorization }) => [body.model, authorization])).toEqual(Array(2).fill(['small', 'Bearer key-of-other']));
    await until('both reports', () => told('usage_report').length === 2, WAIT_MS);
    expect(told('usage_report')).toEqual(Array(2).fill(expect.objectContaining({ model: 'small' })));
  });

  it('ends the run with what was tried when all of them do', async () => {
    const refusing = await modelThat(refuses(401, { error: { message: 'no' } }));
    const unpaid = await modelThat(refuses(402, { error: { message: 'no money' } }));
    launch();
    gateway.push(fakeSession('s1'));
    const end = await run('r1', 'Hello?', {
      model: 'large',
      model_endpoint: offer('r1', 'acme', refusing),
      model_endpoints_fallback: [{ model: 'small', ...offer('r1', 'other', unpaid) }],
    });
    expect(end).toMatchObject({ type: 'execution_error', code: 'MODEL_UNAVAILABLE', error: expect.stringMatching(/paid first.*“acme\/large” \(auth\)/) });
  });
});
