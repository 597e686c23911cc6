import { routingContracts as rpc, runContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;
const LIMIT = { timeoutMs: 60_000 };

beforeAll(async () => {
  mesh = await startRoutingMesh(2);
  await mesh.configure({ messages: { queue: { debounceMs: 200 } } });
});
afterAll(() => mesh.stop());

type Mode = 'collect' | 'steer' | 'followup' | 'interrupt';
const say = (sessionKey: string, message: string, queueMode: Mode) =>
  mesh.call(rpc.acceptMessage, { sessionKey, message, queueMode, idempotencyKey: `${sessionKey}-${message}` });
const commandsOf = async (sessionId: string) => (await mesh.commands()).filter(({ data }) => data.sessionId === sessionId);
const started = (sessionId: string, count: number) =>
  waitFor(
    async () => {
      const starts = (await commandsOf(sessionId)).filter(({ name }) => name === 'start');
      return starts.length >= count ? starts : undefined;
    },
    { ...LIMIT, what: `${count} starts` },
  );
const statusOf = async (runId: string) => (await mesh.call(rpc.getRun, { runId })).run;
const ended = (runId: string, status: string) =>
  waitFor(async () => (await statusOf(runId))?.status === status, { ...LIMIT, what: `${runId} to be ${status}` });

test('collected messages become one run, whose answer is that of each of them', async () => {
  const first = await say('c', 'one', 'collect');
  const [two, three] = [await say('c', 'two', 'collect'), await say('c', 'three', 'collect')];
  await mesh.event(first, { type: 'execution_complete', content: 'A1' });
  const starts = await started(first.sessionId, 2);
  expect(starts.map(({ data }) => data.message)).toEqual(['one', 'two\n\nthree']);
  expect(starts[1]?.data.history.map(({ text }) => text)).toEqual(['one', 'A1']);
  await mesh.event(two, { type: 'execution_complete', content: 'A2' });
  await ended(two.runId, 'ok');
  await ended(three.runId, 'ok');
  expect(await statusOf(three.runId)).toMatchObject({ text: 'A2', mergedInto: two.runId });
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'c' })).messages.map(({ text }) => text)).toEqual(['one', 'two', 'three', 'A1', 'A2']);
  const ends = await waitFor(
    async () => {
      const events = (await mesh.events('event', first.sessionId)).filter(({ data }) => data.runId === three.runId);
      return events.length > 0 ? events : undefined;
    },
    { ...LIMIT, what: 'the end of the merged run in the stream' },
  );
  expect(ends[0]?.data.event).toMatchObject({ type: 'execution_complete', content: 'A2', mergedInto: two.runId });
});

test('an interrupting message stops what runs, drops what waits and is next', async () => {
  const first = await say('i', 'one', 'followup');
  const waiting = await say('i', 'two', 'followup');
  await started(first.sessionId, 1);
  const urgent = await say('i', 'stop!', 'interrupt');
  await ended(waiting.runId, 'cancelled');
  await waitFor(async () => (await commandsOf(first.sessionId)).some(({ name, data }) => name === 'cancel' && data.runId === first.runId), LIMIT);
  await mesh.event(first, { type: 'execution_complete', cancelled: true });
  expect((await started(first.sessionId, 2)).map(({ data }) => data.runId)).toEqual([first.runId, urgent.runId]);
});

test.each(['collect', 'steer', 'followup', 'interrupt'] as const)('/stop ends what runs and what waits at once under %s, and is answered', async (mode) => {
  const key = `stop-${mode}`;
  const first = await say(key, 'one', mode);
  await started(first.sessionId, 1);
  const waiting = await say(key, 'two', 'followup');
  const stop = await say(key, '/stop', mode);
  const answer = 'Stopped. One message that waited was dropped.';
  expect(await statusOf(stop.runId)).toMatchObject({ status: 'ok', text: answer });
  expect(await statusOf(waiting.runId)).toMatchObject({ status: 'cancelled' });
  const cancelled = async () => (await commandsOf(first.sessionId)).some(({ name, data }) => name === 'cancel' && data.runId === first.runId);
  await waitFor(cancelled, { ...LIMIT, what: 'the order to stop' });
  const end = await waitFor(async () => (await mesh.events('event', first.sessionId)).find(({ data }) => data.runId === stop.runId), LIMIT);
  expect(end.data.event).toMatchObject({ type: 'execution_complete', content: answer });
  await mesh.event(first, { type: 'execution_complete', cancelled: true });
  await ended(first.runId, 'cancelled');
  expect(await say(key, '/stop', mode)).toMatchObject({ status: 'done', runId: stop.runId });
  const next = await say(key, 'three', mode);
  expect((await started(first.sessionId, 2)).map(({ data }) => data.runId)).toEqual([first.runId, next.runId]);
});

test('/stop where nothing runs says so, also in a session that nobody has spoken in', async () => {
  const stop = await say('stop-nothing', ' /STOP ', 'collect');
  expect(await statusOf(stop.runId)).toMatchObject({ status: 'ok', text: 'Nothing is running here.' });
  const messages = (await mesh.call(rpc.getHistory, { sessionKey: 'stop-nothing' })).messages;
  expect(messages.map(({ role, text }) => [role, text])).toEqual([
    ['user', ' /STOP '],
    ['assistant', 'Nothing is running here.'],
  ]);
  expect(await commandsOf(stop.sessionId)).toEqual([]);
});

test('a steering message goes to the run that is on its way; confirmed, it is answered with it, else it follows', async () => {
  const first = await say('s', 'one', 'steer');
  await started(first.sessionId, 1);
  const [taken, missed] = [await say('s', 'in French', 'steer'), await say('s', 'and short', 'steer')];
  const steers = await waitFor(
    async () => {
      const found = (await commandsOf(first.sessionId)).filter(({ name }) => name === runContracts.steerRun.name);
      return found.length === 2 ? found : undefined;
    },
    { ...LIMIT, what: 'two steers' },
  );
  expect(steers.map(({ data }) => [data.runId, data.message])).toEqual([
    [first.runId, 'in French'],
    [first.runId, 'and short'],
  ]);
  // A run that is not the active one (any more) takes nothing along.
  await mesh.event({ ...first, runId: 'another-run' }, { type: 'steer_accepted', message_id: `steer:${missed.runId}` });
  await mesh.event(first, { type: 'steer_accepted', message_id: `steer:${taken.runId}` });
  await waitFor(async () => (await statusOf(taken.runId))?.mergedInto === first.runId, { ...LIMIT, what: 'the confirmation' });
  await mesh.event(first, { type: 'execution_complete', content: 'Oui' });
  await ended(taken.runId, 'ok');
  expect((await started(first.sessionId, 2)).map(({ data }) => [data.runId, data.message])).toEqual([
    [first.runId, 'one'],
    [missed.runId, 'and short'],
  ]);
});

test('a steering message that was taken along is answered once, however close the end of the run is behind the confirmation', async () => {
  const sessions = await Promise.all(
    ['q1', 'q2', 'q3', 'q4'].map(async (sessionKey) => ({ first: await say(sessionKey, 'one', 'steer'), taken: await say(sessionKey, 'in French', 'steer') })),
  );
  await Promise.all(sessions.map(({ first }) => started(first.sessionId, 1)));
  for (const { first, taken } of sessions) {
    await mesh.event(first, { type: 'steer_accepted', message_id: `steer:${taken.runId}` });
    await mesh.event(first, { type: 'execution_complete', content: 'Oui' });
  }
  for (const { first, taken } of sessions) {
    await ended(taken.runId, 'ok');
    expect(await statusOf(taken.runId)).toMatchObject({ text: 'Oui', mergedInto: first.runId });
  }
});

test('collected messages are handed out although nobody was woken for them: the stored time is enough', async () => {
  const first = await say('gone', 'one', 'collect');
  await say('gone', 'two', 'collect');
  await mesh.database.query('spec_active', 'UPDATE sessions SET active_run_id = NULL, release_at = now() WHERE session_id = $1', [first.sessionId]);
  await mesh.database.query('spec_end', `UPDATE runs SET status = 'ok', ended_at = now() WHERE run_id = $1`, [first.runId]);
  expect((await started(first.sessionId, 2)).map(({ data }) => data.message)).toEqual(['one', 'two']);
});
