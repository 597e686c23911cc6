import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sessionFolder } from '../src/domain/session-folder.js';
import { fakeMessage, fakeSession } from './support/commands.js';
import { asks, FakeModel, says } from './support/fake-model.js';
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
const typesOf = (runId: string): string[] => gateway.eventsOf(runId).map(({ event }) => event.type);
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
  it('is cancelled in the middle of a tool that ignores every polite signal: one end, and nothing of its group is left', async () => {
    const stubborn = `trap '' INT TERM; (trap '' INT TERM; while :; do sleep 1; done) & echo $$ > group; while :; do sleep 1; done`;
    const model = await modelOf(
      asks({ id: 'c1', name: 'exec', input: { command: 'echo kept' } }, { id: 'c2', name: 'exec', input: { command: stubborn } }),
      says(['done']),
    );
    launch(model);
    gateway.push(fakeSession('s1'));
    gateway.push(fakeSession('s2'));
    gateway.push(fakeMessage('s1', 'r1', 'go'));
    await until('the tool', hasWritten('group'), PATIENCE_MS);
    await until('the end of the other tool', () => eventsOf('r1', 'tool_call_complete').length === 1, PATIENCE_MS);
    const group = Number(readFileSync(inWorkspace('group'), 'utf8'));
    expect(groupLives(group)).toBe(true);
    gateway.push({ type: 'cancel', session_id: 's1', data: { reason: 'user' } });
    gateway.push(fakeMessage('s2', 'r2', 'meanwhile'));
    await ended('r2');
    await ended('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_complete', cancelled: true });
    expect(eventsOf('r1', 'tool_call_complete')[0]).toMatchObject({ tool_call_id: 'c1', result: 'Exit code 0.\nkept\n' });
    await until('the end of the group', () => !groupLives(group), PATIENCE_MS);
    expect(typesOf('r1').filter((type) => type.startsWith('execution_'))).toHaveLength(1);
    // The end may come before the files of the session do: a tool that does not stop does not hold it up.
    const kept = (): boolean => {
      const memory = path.join(folders().memory, 'conversation.md');
      const newest = readdirSync(folders().checkpoints).sort().at(-1) as string;
      const checkpoint = readFileSync(path.join(folders().checkpoints, newest), 'utf8');
      return existsSync(memory) && readFileSync(memory, 'utf8').includes('kept') && checkpoint.includes('Exit code 0.\\nkept');
    };
    await until('what was kept to be on the disk', kept, PATIENCE_MS);
  });
});
