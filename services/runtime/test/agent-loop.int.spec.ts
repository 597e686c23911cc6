import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sessionFolder } from '../src/domain/session-folder.js';
import { fakeMessage, fakeSession } from './support/commands.js';
import { asks, begin, delta, FakeModel, refuses, says } from './support/fake-model.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

const PATIENCE_MS = 60_000;

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

async function modelOf(...script: Parameters<typeof FakeModel.start>): Promise<FakeModel> {
  const model = await FakeModel.start(...script);
  models.push(model);
  return model;
}

function launch(model: FakeModel, epoch = 1): RuntimeProcess {
  const env = { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'test-model' };
  const runtime = RuntimeProcess.launch({ url: gateway.url, workdir: folder.path, epoch, env });
  runtimes.push(runtime);
  return runtime;
}

const folders = () => sessionFolder(folder.path, 's1');
const inWorkspace = (file: string): string => path.join(folders().workspace, file);
const hasWritten = (file: string) => (): boolean => existsSync(inWorkspace(file)) && readFileSync(inWorkspace(file), 'utf8').endsWith('\n');
const eventsOf = (runId: string, type: string) => gateway.eventsOf(runId).flatMap(({ event }) => (event.type === type ? [event] : []));
const ended = (runId: string): Promise<void> => until(`the end of ${runId}`, () => gateway.endOf(runId) !== undefined, PATIENCE_MS);

/** True while a process of that group is anything but a zombie. */
function groupLives(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return fields[0] !== 'Z' && Number(fields[2]) === group;
    } catch {
      // It went while we looked.
      return false;
    }
  });
}

describe('an agent with tools', () => {
  it('is offered them with their schemas, calls two at the same time, and gets both results in their order', async () => {
    // Each waits for the other: one after the other they would never end.
    const meet = (mine: string, other: string): string => `echo x > ${mine}; while [ ! -f ${other} ]; do sleep 0.05; done; echo ${mine}`;
    const model = await modelOf(
      asks(
        { id: 'call-a', name: 'exec', input: { command: meet('a', 'b') }, words: 'Let me see.' },
        { id: 'call-b', name: 'exec', input: { command: meet('b', 'a') } },
      ),
      says(['Both ', 'met.']),
    );
    launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await ended('r1');
    expect(gateway.endOf('r1')).toMatchObject({
      type: 'execution_complete',
      content: 'Let me see.\n\nBoth met.',
      usage: { input_tokens: 22, output_tokens: 14 },
    });
    expect(eventsOf('r1', 'tool_call_start').map((event) => [event.tool_call_id, event.tool_name])).toEqual([
      ['call-a', 'exec'],
      ['call-b', 'exec'],
    ]);
    expect(eventsOf('r1', 'tool_call_complete').map((event) => [event.tool_call_id, event.result])).toEqual([
      ['call-a', 'Exit code 0.\na\n'],
      ['call-b', 'Exit code 0.\nb\n'],
    ]);
    const [first, second] = model.requests;
    const offered = first?.body.tools?.map((one) => one.function) ?? [];
    expect(offered.map(({ name }) => name)).toEqual([
      'scratchpad',
      'exec',
      'read',
      'write',
      'edit',
      'list',
      'memory_search',
      'memory_write',
      'notify_user',
      'dispatch_research',
      'dispatch_and_notify',
      'dispatch_status',
    ]);
    expect(offered[1]?.parameters).toMatchObject({ type: 'object', required: ['command'], properties: { command: { type: 'string' } } });
    expect(second?.body.messages.slice(-3)).toMatchObject([
      { role: 'assistant', content: 'Let me see.', tool_calls: [{ id: 'call-a' }, { id: 'call-b' }] },
      { role: 'tool', tool_call_id: 'call-a', content: 'Exit code 0.\na\n' },
      { role: 'tool', tool_call_id: 'call-b', content: 'Exit code 0.\nb\n' },
    ]);
  });

  it('survives an endpoint that is busy, falls over and breaks off between its tools: each tool runs once', async () => {
    const model = await modelOf(
      refuses(429, {}),
      asks({ id: 'c1', name: 'exec', input: { command: 'echo run >> count' } }),
      refuses(500, 'no'),
      (response) => {
        begin(response);
        response.write(delta('half an '));
        setTimeout(() => response.destroy(), 20);
      },
      says(['whole answer']),
    );
    launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await ended('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', content: 'whole answer' });
    expect(gateway.textOf('r1')).toBe('whole answer');
    expect(readFileSync(inWorkspace('count'), 'utf8')).toBe('run\n');
    expect(model.requests).toHaveLength(5);
  });

  it('tells the model about calls that cannot be made, and goes on', async () => {
    const model = await modelOf(
      asks({ id: 'c1', name: 'nothing', input: {} }, { id: 'c2', name: 'read', input: '{"path": ' }, { id: 'c3', name: 'read', input: { path: '../../x' } }),
      says(['I see.']),
    );
    launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await ended('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', content: 'I see.' });
    expect(eventsOf('r1', 'tool_call_complete').map((event) => event.is_error)).toEqual([true, true, true]);
  });
});

describe('a runtime that is killed in the middle of a run', () => {
  it('is followed by one that goes on from the checkpoint: the finished tool does not run again, the running one went with it', async () => {
    const model = await modelOf(
      asks({ id: 'c1', name: 'exec', input: { command: 'echo run >> count; cat count' }, words: 'First.' }),
      asks({ id: 'c2', name: 'exec', input: { command: 'echo $$ > group; while :; do sleep 1; done' }, words: 'Second.' }),
      says(['Done.']),
    );
    const first = launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await until('the second tool', hasWritten('group'), PATIENCE_MS);
    await until('the end of the first tool', () => eventsOf('r1', 'tool_call_complete').length === 1, PATIENCE_MS);
    const group = Number(readFileSync(inWorkspace('group'), 'utf8'));
    await first.kill('SIGKILL');
    await until('the end of the group', () => !groupLives(group), PATIENCE_MS);
    const from = Math.max(...gateway.eventsOf('r1').map((one) => one.runSeq)) + 1;

    gateway.currentEpoch = 2;
    launch(model, 2);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go', { resume: true, run_seq_from: from }));
    await ended('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', content: 'First.\n\nSecond.\n\nDone.' });
    expect(gateway.textOf('r1')).toBe('First.\n\nSecond.\n\nDone.');
    expect(gateway.eventsOf('r1').map((one) => one.runSeq)).toEqual(gateway.eventsOf('r1').map((_, index) => index + 1));
    expect(readFileSync(inWorkspace('count'), 'utf8')).toBe('run\n');
    expect(model.requests).toHaveLength(3);
    const [, , lost] = model.requests[2]?.body.messages.filter(({ role }) => role !== 'assistant' && role !== 'user') ?? [];
    expect(lost).toMatchObject({ role: 'tool', tool_call_id: 'c2', content: expect.stringContaining('may or may not') });
  });

  it('is followed by one that begins anew where the workspace is gone', async () => {
    const model = await modelOf(asks({ id: 'c1', name: 'exec', input: { command: 'echo x > here' } }), async (response) => {
      begin(response);
      response.write(delta('half'));
    });
    const first = launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await until('the half answer', () => gateway.textOf('r1') === 'half', PATIENCE_MS);
    await first.kill('SIGKILL');
    folder.remove();
    gateway.currentEpoch = 2;
    const again = await modelOf(says(['anew']));
    launch(again, 2);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'go', { resume: true, run_seq_from: gateway.eventsOf('r1').length + 1 }));
    await ended('r1');
    expect(gateway.textOf('r1')).toBe('anew');
  });
});
