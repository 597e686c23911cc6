import { fakeSession, fakeMessage } from './support/commands.js';
import { ends, FakeModel, pausesAfter, says, speaksOn } from './support/fake-model.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

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

function launch(options: Partial<Parameters<typeof RuntimeProcess.launch>[0]> = {}): RuntimeProcess {
  const runtime = RuntimeProcess.launch({ url: gateway.url, workdir: folder.path, ...options });
  runtimes.push(runtime);
  return runtime;
}

async function launchWithModel(...script: Parameters<typeof FakeModel.start>): Promise<FakeModel> {
  const model = await FakeModel.start(...script);
  models.push(model);
  launch({ env: { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'test-model' }, secrets: { modelApiKey: 'key-1' } });
  return model;
}

/** The stored events of a run: numbers without gap or repeat, exactly one end, at the end. */
function expectWhole(runId: string, from = 1): void {
  const events = gateway.eventsOf(runId);
  expect(events.map((one) => one.runSeq)).toEqual(events.map((_, i) => i + from));
  const ends = events.filter(({ event }) => event.type === 'execution_complete' || event.type === 'execution_error');
  expect(ends).toHaveLength(1);
  expect(events.at(-1)).toBe(ends[0]);
}

const ended = (runId: string) => () => gateway.endOf(runId) !== undefined;

describe('a run', () => {
  it('is echoed in several pieces, plainly said to be an echo, with one end that holds the whole text', async () => {
    launch();
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'Hello there'));
    await until('the end of r1', ended('r1'));
    expectWhole('r1');
    expect(gateway.eventsOf('r1').length).toBeGreaterThan(5);
    const text = gateway.textOf('r1');
    expect(text).toContain('You said: Hello there');
    expect(text).toMatch(/only echo: no language model is configured.*PLEXUS_MODEL_BASE_URL.*PLEXUS_MODEL/s);
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', content: text });
  });

  it('arrives once, in order and without a gap when the socket is cut at random, with one end', async () => {
    const pieces = Array.from({ length: 300 }, (_, i) => `${i} `);
    gateway.storeDelayMs = 3;
    await launchWithModel(says(pieces));
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'count'));
    let cuts = 0;
    let next = 1 + Math.floor(Math.random() * 40);
    // Cut from within the store, so that a slow machine has as many cuts as a fast one.
    gateway.onStored = (count) => {
      if (cuts === 6 || count < next) return;
      cuts++;
      next = count + 1 + Math.floor(Math.random() * 40);
      gateway.cut();
    };
    await until('the end of r1', () => gateway.endOf('r1') !== undefined, 100_000);
    expect(cuts).toBe(6);
    expectWhole('r1');
    expect(gateway.textOf('r1')).toBe(pieces.join(''));
    expect(gateway.refused).toEqual([]);
  }, 180_000);

  it('is not executed twice when its message comes again', async () => {
    const model = await launchWithModel(says(['once']));
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'a'));
    gateway.push(fakeMessage('s1', 'r1', 'a'));
    await until('the end of r1', ended('r1'));
    gateway.push(fakeMessage('s1', 'r1', 'a'));
    gateway.push(fakeMessage('s1', 'r2', 'b'));
    await until('the end of r2', ended('r2'));
    expect(model.requests).toHaveLength(2);
    expectWhole('r1');
    expectWhole('r2');
  });

  it('waits for its session when the message comes first, and for the run before it', async () => {
    launch();
    gateway.push(fakeMessage('s1', 'r1', 'first'));
    gateway.push(fakeMessage('s1', 'r2', 'second'));
    await until('both are in the journal', () => gateway.unackedCommands() === 0);
    gateway.push(fakeSession('s1'));
    await until('the end of r2', ended('r2'));
    const order = gateway.stored.map((one) => one.runId);
    expect(order.lastIndexOf('r1')).toBeLessThan(order.indexOf('r2'));
  });

  it('keeps 20 messages for a session that is not started, and tells the one too many', async () => {
    launch();
    for (let i = 1; i <= 21; i++) gateway.push(fakeMessage('s1', `r${i}`, 'x'));
    await until('the refusal', ended('r21'));
    expect(gateway.endOf('r21')).toMatchObject({ type: 'execution_error', code: 'QUEUE_FULL' });
    expect(gateway.stored).toHaveLength(1);
  });

  it('ends with RUN_TIMEOUT when the agent stays silent longer than the message allows', async () => {
    await launchWithModel(async () => undefined);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'x', { timeout_ms: 300 }));
    await until('the end of r1', ended('r1'));
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_error', code: 'RUN_TIMEOUT' });
    expectWhole('r1');
  });

  it('asks the model with the settings of session and message, also changed ones', async () => {
    const model = await launchWithModel(says(['ok']));
    const history = [
      { role: 'user', text: 'earlier' },
      { role: 'assistant', content: 'indeed' },
    ];
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'now', { extra_system_prompt: 'In French.' }, history));
    await until('the end of r1', ended('r1'));
    gateway.push({ type: 'config_update', data: { session_id: 's1', agent_config: { model: 'other', temperature: 0.5, max_tokens: 9 } } });
    gateway.push(fakeMessage('s1', 'r2', 'again'));
    await until('the end of r2', ended('r2'));
    expect(model.requests[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: 'Bearer key-1',
      body: {
        model: 'test-model',
        stream: true,
        messages: [
          { role: 'system', content: 'Be brief.\n\nIn French.' },
          { role: 'user', content: 'earlier' },
          { role: 'assistant', content: 'indeed' },
          { role: 'user', content: 'now' },
        ],
      },
    });
    expect(model.requests[1]?.body).toMatchObject({ model: 'other', temperature: 0.5, max_tokens: 9 });
    expect(gateway.endOf('r1')).toEqual({ type: 'execution_complete', content: 'ok', usage: { input_tokens: 11, output_tokens: 7 } });
  });

  it('goes on with a further message for it, in the same run', async () => {
    let goOn = (): void => undefined;
    const further = new Promise<void>((resolve) => (goOn = resolve));
    const model = await launchWithModel(pausesAfter('a'.repeat(50), further, ends), says(['b']));
    const [runtime] = runtimes;
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'first'));
    await until('some text', () => gateway.textOf('r1').length > 5);
    gateway.push(fakeMessage('s1', 'r1', 'and then?', { steer: true, message_id: 'm1' }));
    gateway.push(fakeMessage('s1', 'r1', 'and then?', { steer: true, message_id: 'm1' }));
    await until('both are in the journal', () => gateway.unackedCommands() === 0);
    goOn();
    await until('the end of r1', ended('r1'));
    expectWhole('r1');
    expect(gateway.textOf('r1')).toBe(`${'a'.repeat(50)}\n\nb`);
    expect(model.requests.map((request) => request.body.messages.at(-1)?.content)).toEqual(['first', 'and then?']);
    // The mesh answers by itself what no run has accepted, so a run says what it did, and only that.
    gateway.push(fakeMessage('s1', 'r1', 'too late', { steer: true, message_id: 'm2' }));
    await until('the late one to be noted', () => (runtime?.logged('further message not taken along, the mesh answers it by itself').length ?? 0) === 1);
    const accepted = gateway.eventsOf('r1').flatMap(({ event }) => (event.type === 'steer_accepted' ? [event.message_id] : []));
    expect(accepted).toEqual(['m1']);
    expectWhole('r1');
  });

  it('carries the trace of its message', async () => {
    launch();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'x', { traceparent }));
    await until('the end of r1', ended('r1'));
    for (const frame of gateway.frames) if (frame.type === 'sse_event') expect(frame.traceparent).toBe(traceparent);
  });
});

describe('cancel', () => {
  it('stops the model, keeps what was said, ends as cancelled, and leaves other sessions alone', async () => {
    const model = await launchWithModel(speaksOn(), says(['short']));
    gateway.push(fakeSession('s1'));
    gateway.push(fakeSession('s2'));
    gateway.push(fakeMessage('s1', 'r1', 'x'));
    await until('some text', () => gateway.textOf('r1').length > 10);
    gateway.push(fakeMessage('s2', 'r2', 'y'));
    gateway.push({ type: 'cancel', session_id: 's1', data: { reason: 'user' }, reason: 'user' });
    await until('both ends', () => ended('r1')() && ended('r2')());
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', cancelled: true, content: gateway.textOf('r1') });
    expect(gateway.endOf('r2')).toMatchObject({ type: 'execution_complete', content: 'short' });
    expect(gateway.endOf('r2')).not.toHaveProperty('cancelled');
    await until('the model request is closed', () => model.aborted === 1);
    expectWhole('r1');
  });

  it('of a run that is over, unknown or another one changes nothing', async () => {
    let goOn: (value?: unknown) => void = () => undefined;
    await launchWithModel(says(['done']), pausesAfter('some words of it', new Promise((resolve) => (goOn = resolve)), ends));
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'x'));
    await until('the end of r1', ended('r1'));
    gateway.push({ type: 'cancel', session_id: 's1', data: { reason: 'late' } });
    gateway.push({ type: 'cancel', session_id: 'nobody', data: { reason: 'who' } });
    gateway.push(fakeMessage('s1', 'r2', 'y'));
    await until('some text', () => gateway.textOf('r2').length > 10);
    gateway.push({ type: 'cancel', session_id: 's1', run_id: 'r1', data: { reason: 'old' } });
    await until('it is in the journal', () => gateway.unackedCommands() === 0);
    goOn();
    await until('the end of r2', ended('r2'));
    expect(gateway.endOf('r2')).not.toHaveProperty('cancelled');
    expectWhole('r1');
  });

  it('issued while disconnected is carried out before any newer message', async () => {
    await launchWithModel(speaksOn(), says(['after']));
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'x'));
    await until('some text', () => gateway.textOf('r1').length > 10);
    gateway.cut();
    gateway.push({ type: 'cancel', session_id: 's1', data: { reason: 'user' } });
    gateway.push(fakeMessage('s1', 'r2', 'y'));
    await until('both ends', () => ended('r1')() && ended('r2')());
    expect(gateway.endOf('r1')).toMatchObject({ cancelled: true });
    expect(gateway.textOf('r2')).toBe('after');
    expectWhole('r1');
    expectWhole('r2');
  });

  it('comes with the end of the session', async () => {
    await launchWithModel(speaksOn());
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'x'));
    gateway.push(fakeMessage('s1', 'r2', 'waits'));
    await until('some text', () => gateway.textOf('r1').length > 10);
    gateway.push({ type: 'stop_session', data: { session_id: 's1', reason: 'user_closed' } });
    await until('both ends', () => ended('r1')() && ended('r2')());
    expect([gateway.endOf('r1')?.cancelled, gateway.endOf('r2')?.cancelled]).toEqual([true, true]);
  });
});

describe('a restart of the process', () => {
  const slow = Array.from({ length: 400 }, (_, i) => `${i} `);

  it('with a higher epoch voids what was said and runs again, the numbers going on', async () => {
    const model = await FakeModel.start(speaksOn(), says(slow));
    models.push(model);
    const env = { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'm' };
    const first = launch({ env });
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'count'));
    await until('some text', () => gateway.eventsOf('r1').length > 30);
    await first.kill('SIGKILL');

    gateway.currentEpoch = 2;
    const stored = gateway.eventsOf('r1').length;
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'count', { resume: true, run_seq_from: stored + 1 }));
    launch({ env, epoch: 2 });
    await until('the end of r1', ended('r1'));
    expectWhole('r1');
    expect(gateway.eventsOf('r1')[stored]).toMatchObject({ epoch: 2, runSeq: stored + 1, event: { type: 'text_reset' } });
    expect(gateway.textOf('r1')).toBe(slow.join(''));
    expect(gateway.greetings.at(-1)?.ticket).toBe('ticket-1');
  });

  it('does not execute a run again whose end had not arrived: the end is sent again', async () => {
    const model = await FakeModel.start(says(['answer']));
    models.push(model);
    const env = { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'm' };
    gateway.storeDelayMs = 60_000;
    const first = launch({ env });
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'ask'));
    await until('the end is sent', () => gateway.frames.some((frame) => frame.type === 'sse_event' && frame.data.includes('execution_complete')));
    await first.kill('SIGKILL');

    gateway.currentEpoch = 2;
    gateway.storeDelayMs = 0;
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'ask', { resume: true, run_seq_from: 1 }));
    launch({ env, epoch: 2 });
    await until('the end of r1', ended('r1'));
    expectWhole('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', content: 'answer' });
    expect(model.requests).toHaveLength(1);
  });

  it('with the same epoch goes on from its journal: no command lost or repeated, no event missing', async () => {
    const model = await FakeModel.start(speaksOn(), says(slow, 1));
    models.push(model);
    const env = { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'm' };
    gateway.storeDelayMs = 20;
    const first = launch({ env });
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'count'));
    await until('commands acked and some text', () => gateway.unackedCommands() === 0 && gateway.eventsOf('r1').length > 30);
    await first.kill('SIGKILL');
    launch({ env });
    await until('the end of r1', ended('r1'));
    expectWhole('r1');
    expect(gateway.textOf('r1')).toBe(slow.join(''));
    expect(gateway.greetings.at(-1)).toMatchObject({ ticket: null, auth: { recv_seq: 2 } });
  });

  it('by SIGTERM exits 0 within the grace and leaves the run for the next incarnation', async () => {
    const model = await FakeModel.start(speaksOn());
    models.push(model);
    const runtime = launch({ env: { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'm' } });
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'count'));
    await until('some text', () => gateway.eventsOf('r1').length > 10);
    runtime.child.kill('SIGTERM');
    expect(await runtime.exited).toEqual({ code: 0, signal: null });
    expect(gateway.endOf('r1')).toBeUndefined();
  });
});
