import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fakeMessage, fakeSession } from './support/commands.js';
import { FakeModel, says } from './support/fake-model.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

const PATIENCE_MS = 60_000;

let gateway: GatewayStandIn;
let folder: ReturnType<typeof scratchFolder>;
let runtime: RuntimeProcess | undefined;
let model: FakeModel | undefined;

beforeEach(async () => {
  gateway = await GatewayStandIn.start();
  folder = scratchFolder();
});

afterEach(async () => {
  await runtime?.kill();
  await model?.stop();
  await gateway.stop();
  folder.remove();
  runtime = undefined;
  model = undefined;
});

function launch(env: Record<string, string> = {}): RuntimeProcess {
  runtime = RuntimeProcess.launch({ url: gateway.url, workdir: folder.path, env });
  return runtime;
}

/** Parameters of what was told by a method, in order; what is sent again after a cut is there once. */
function told(method: string): Record<string, unknown>[] {
  const found = new Map<number, Record<string, unknown>>();
  for (const frame of gateway.frames) if (frame.type === 'fire_and_forget' && frame.method === method) found.set(frame.fseq ?? 0, frame.params);
  return [...found.values()];
}

async function answer(runId: string): Promise<void> {
  gateway.push(fakeMessage('s1', runId, 'hi'));
  await until(`the end of ${runId}`, () => gateway.endOf(runId) !== undefined, PATIENCE_MS);
}

describe('what the mesh keeps of a session', () => {
  it('comes after each run with a higher version, is named when the runtime connects anew, and is confirmed when the mesh drains', async () => {
    launch({ PLEXUS_JOURNAL_SYNC: 'commands' });
    gateway.push(fakeSession('s1'));
    await answer('r1');
    await until('the first snapshot', () => told('snapshot_sync').length === 1, PATIENCE_MS);
    await answer('r2');
    await until('the second snapshot', () => told('snapshot_sync').length === 2, PATIENCE_MS);
    expect(told('snapshot_sync')).toMatchObject([
      { version: 1, kind: 'full', checkpoint: expect.anything() },
      { version: 2, kind: 'full', checkpoint: expect.anything() },
    ]);
    gateway.cut();
    await until('the second connection', () => gateway.greetings.length === 2 && gateway.isConnected, PATIENCE_MS);
    expect(gateway.greetings[1]?.auth.sessions).toMatchObject([{ session_id: 's1', snapshot_version: 2 }]);
    gateway.push({ type: 'drain', data: { grace_ms: 1_000, snapshot: true } });
    await until('the word of the session', () => told('snapshot_sync').length === 3, PATIENCE_MS);
    expect(told('snapshot_sync')[2]).toEqual({ version: 2, kind: 'full', unchanged: true });
  });

  it('goes on behind what it hands over to an incarnation that does not know the session', async () => {
    launch();
    gateway.push(fakeSession('s1', { snapshot: { version: 41 } }));
    await answer('r1');
    await until('the snapshot', () => told('snapshot_sync').length === 1, PATIENCE_MS);
    expect(told('snapshot_sync')[0]).toMatchObject({ version: 42 });
  });
});

describe('model calls', () => {
  it('use the owner’s own key that the newest connection brought, tell what they used up, and leave the key nowhere', async () => {
    model = await FakeModel.start(says(['hello']));
    gateway.apiKeys = { model: 'sk-first-7a1' };
    const started = launch({ PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'small', LOG_LEVEL: 'debug' });
    gateway.push(fakeSession('s1'));
    await answer('r1');
    await until('the first report', () => told('usage_report').length === 1, PATIENCE_MS);
    expect(told('usage_report')[0]).toMatchObject({ model: 'small', tokens_in: 11, tokens_out: 7, latency_ms: expect.any(Number) });
    gateway.apiKeys = { model: 'sk-second-9c4' };
    gateway.cut();
    await until('the second connection', () => gateway.greetings.length === 2 && gateway.isConnected, PATIENCE_MS);
    await answer('r2');
    expect(model.requests.map(({ authorization }) => authorization)).toEqual(['Bearer sk-first-7a1', 'Bearer sk-second-9c4']);
    const journal = readdirSync(path.join(folder.path, 'runtime')).map((name) => readFileSync(path.join(folder.path, 'runtime', name), 'utf8'));
    const said = gateway.frames.map((frame) => JSON.stringify(frame));
    for (const text of [started.stderr, ...journal, ...said]) expect(text).not.toMatch(/sk-(first|second)/);
  });
});
