import { routingContracts as rpc, sessionContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;
let last = 0;
const fresh = (): string => {
  last += 1;
  return `s${last}`;
};

beforeAll(async () => {
  mesh = await startRoutingMesh(2);
});
afterAll(() => mesh.stop());

/** A fresh session with one started run. */
async function start(message = 'question', sessionKey = fresh()) {
  return mesh.call(rpc.acceptMessage, { sessionKey, message, idempotencyKey: `${sessionKey}-${fresh()}` });
}
const messages = async (run: { sessionKey: string }) => (await mesh.call(rpc.getHistory, { sessionKey: run.sessionKey })).messages;
const runOf = async (run: { runId: string }) => (await mesh.call(rpc.getRun, { runId: run.runId })).run;
const ended = (run: { runId: string }, status: string) => waitFor(async () => (await runOf(run))?.status === status, { what: `${run.runId} to be ${status}` });
const startsOf = async (sessionId: string) => (await mesh.commands()).filter(({ name, data }) => name === 'start' && data.sessionId === sessionId);
const chunk = (content: string) => ({ type: 'text_chunk', content });

test('the answer of a run is its end, appended once, published once, and readable as the result of the run', async () => {
  const run = await start();
  await mesh.event(run, chunk('Hal'), { runSeq: 1, epoch: 1 });
  await mesh.event(run, { type: 'execution_complete', content: 'Hallo' }, { runSeq: 2, epoch: 1 });
  await ended(run, 'ok');
  expect(await messages(run)).toMatchObject([
    { seq: 1, role: 'user', text: 'question' },
    { seq: 2, role: 'assistant', text: 'Hallo', runId: run.runId },
  ]);
  expect(await runOf(run)).toMatchObject({ status: 'ok', text: 'Hallo', endedAt: expect.any(String) });
  await waitFor(async () => (await mesh.events('message', run.sessionId)).length === 2);
  expect((await mesh.call(rpc.describeSession, { sessionKey: run.sessionKey })).session).not.toHaveProperty('activeRunId');
});

test('an end without content means what was streamed, a text_reset voids what came before it', async () => {
  const run = await start();
  for (const event of [chunk('wrong'), { type: 'text_reset' }, chunk('Right '), { type: 'thinking' }, chunk('answer')])
    await mesh.event(run, event, { epoch: 1 });
  await mesh.event(run, { type: 'execution_complete' }, { epoch: 1 });
  await ended(run, 'ok');
  expect((await messages(run)).at(-1)).toMatchObject({ role: 'assistant', text: 'Right answer' });
});

test('ends that are delivered twice and by several writers make one answer: the first in stream order', async () => {
  const run = await start();
  await mesh.event(run, { type: 'execution_complete', content: 'first' }, { runSeq: 1, epoch: 1 });
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      mesh.event(run, { type: 'execution_error', code: 'VM_LOST', error: `late ${index}` }, index % 2 === 0 ? {} : { runSeq: 2, epoch: 1 }),
    ),
  );
  await ended(run, 'ok');
  const next = await start('again', run.sessionKey.replace('agent:main:', ''));
  await mesh.event(next, { type: 'execution_complete', content: 'second' });
  await ended(next, 'ok');
  expect((await messages(run)).map(({ role, text }) => `${role}: ${text}`)).toEqual(['user: question', 'assistant: first', 'user: again', 'assistant: second']);
  expect((await runOf(run))?.status).toBe('ok');
});

test('what a fenced incarnation still says counts for nothing', async () => {
  const run = await start();
  await mesh.event(run, chunk('old'), { epoch: 3, runSeq: 1 });
  const marker = { sessionId: run.sessionId, sessionKey: run.sessionKey, owner: 'ada', epoch: 4, event: { type: 'epoch_marker' } };
  await mesh.bus.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: [run.sessionId], data: marker });
  await mesh.event(run, { type: 'execution_complete', content: 'zombie' }, { epoch: 3, runSeq: 2 });
  await mesh.event(run, { type: 'text_reset' }, { epoch: 4, runSeq: 2 });
  await mesh.event(run, chunk('new'), { epoch: 4, runSeq: 3 });
  await mesh.event(run, { type: 'execution_complete' }, { epoch: 4, runSeq: 4 });
  await ended(run, 'ok');
  expect((await messages(run)).map(({ text }) => text)).toEqual(['question', 'new']);
});

test('a session that moves to a VM with a lower epoch is heard there, and the VM that it left no more', async () => {
  const run = await start();
  await mesh.event(run, chunk('old '), { vmId: 'vm-a', epoch: 9, runSeq: 1 });
  const marker = { sessionId: run.sessionId, sessionKey: run.sessionKey, owner: 'ada', vmId: 'vm-b', epoch: 4, event: { type: 'epoch_marker' } };
  await mesh.bus.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: [run.sessionId], data: marker });
  await mesh.event(run, { type: 'execution_complete', content: 'zombie' }, { vmId: 'vm-a', epoch: 9, runSeq: 2 });
  await mesh.event(run, { type: 'execution_complete', content: 'new' }, { vmId: 'vm-b', epoch: 4, runSeq: 2 });
  await ended(run, 'ok');
  expect((await messages(run)).map(({ text }) => text)).toEqual(['question', 'new']);
  const [session] = await mesh.database.query<{ stream_epoch: number }>('spec_epoch', 'SELECT stream_epoch FROM sessions WHERE session_id = $1', [
    run.sessionId,
  ]);
  expect(session?.stream_epoch).toBe(4);
});

test('ends are seen in a stream that was rebuilt and counts from the beginning again, and the position returns to it', async () => {
  const first = await start();
  // What a rebuilt stream looks like from here: everything in it lies before the place up to which the session was read.
  await mesh.database.query('spec_rebuilt', 'UPDATE sessions SET stream_seq = 1000000, stream_epoch = 50 WHERE session_id = $1', [first.sessionId]);
  await mesh.event(first, chunk('still '), { epoch: 3, runSeq: 1 });
  const seq = await mesh.event(first, { type: 'execution_complete' }, { epoch: 3, runSeq: 2 });
  await ended(first, 'ok');
  const [session] = await mesh.database.query<{ stream_seq: number }>('spec_position', 'SELECT stream_seq FROM sessions WHERE session_id = $1', [
    first.sessionId,
  ]);
  expect(session?.stream_seq).toBe(seq);
  const second = await start('again', first.sessionKey);
  await mesh.event(second, { type: 'execution_complete', content: 'here' }, { epoch: 3, runSeq: 1 });
  await ended(second, 'ok');
  expect((await messages(first)).map(({ text }) => text)).toEqual(['question', 'still ', 'again', 'here']);
});

test('each end releases the next waiting run, with the answers before it as history', async () => {
  const sessionKey = 'followup';
  const runs = [await start('q0', sessionKey), await start('q1', sessionKey), await start('q2', sessionKey)];
  for (const [index, run] of runs.entries()) {
    await waitFor(async () => (await startsOf(run.sessionId)).length === index + 1, { what: `run.start ${index}` });
    expect(await runOf(run)).toMatchObject({ status: 'started' });
    await mesh.event(run, { type: 'execution_complete', content: `a${index}` });
    await ended(run, 'ok');
  }
  const starts = await startsOf(runs[0]?.sessionId ?? '');
  expect(starts.map(({ data }) => [data.message, data.history.map(({ role, text }) => `${role} ${text}`)])).toEqual([
    ['q0', []],
    ['q1', ['user q0', 'assistant a0']],
    ['q2', ['user q0', 'user q1', 'assistant a0', 'assistant a1']],
  ]);
});

test('errors close the run, keep their reason, and leave no answer', async () => {
  const run = await start();
  await mesh.event(run, chunk('half an ans'));
  await mesh.event(run, { type: 'execution_error', code: 'MODEL_UNAVAILABLE', error: 'no model' });
  await ended(run, 'error');
  expect(await runOf(run)).toMatchObject({ error: { code: 'MODEL_UNAVAILABLE', message: 'no model' } });
  expect(await messages(run)).toHaveLength(1);
});

test('ends of runs nobody knows, and of sessions of another tenant, change nothing', async () => {
  const run = await start();
  await mesh.event({ ...run, runId: 'unknown' }, { type: 'execution_complete', content: 'x' });
  const data = {
    sessionId: run.sessionId,
    sessionKey: run.sessionKey,
    owner: 'ada',
    runId: run.runId,
    event: { type: 'execution_complete', content: 'theft' },
  };
  await mesh.bus.publish(sessionContracts.sessionEvent, { tenant: 'other', key: [run.sessionId], data });
  await mesh.event(run, { type: 'execution_complete', content: 'mine' });
  await ended(run, 'ok');
  expect((await messages(run)).map(({ text }) => text)).toEqual(['question', 'mine']);
});

describe('cancel', () => {
  test('a waiting run ends at once and says so in the stream, a started one is told to stop', async () => {
    const sessionKey = 'cancel';
    const [first, second, third] = [await start('a', sessionKey), await start('b', sessionKey), await start('c', sessionKey)];
    expect(await mesh.call(rpc.cancelRun, { sessionKey, runId: second.runId })).toEqual({ aborted: true, runIds: [second.runId] });
    expect(await runOf(second)).toMatchObject({ status: 'cancelled' });
    expect(await mesh.call(rpc.cancelRun, { sessionKey, runId: second.runId })).toEqual({ aborted: false, runIds: [] });
    expect(await mesh.call(rpc.cancelRun, { sessionKey })).toEqual({ aborted: true, runIds: [first.runId, third.runId] });
    const orders = await waitFor(async () => {
      const cancels = (await mesh.commands()).filter(({ name, data }) => name === 'cancel' && data.sessionId === first.sessionId);
      return cancels.length > 0 ? cancels : undefined;
    });
    expect(orders.map(({ data }) => [data.runId, data.reason])).toEqual([[first.runId, 'user']]);
    await waitFor(async () => (await mesh.events('event', first.sessionId)).length === 2);
    expect((await mesh.events('event', first.sessionId)).map(({ data }) => [data.runId, data.event])).toEqual([
      [second.runId, { type: 'execution_complete', cancelled: true, reason: 'user' }],
      [third.runId, { type: 'execution_complete', cancelled: true, reason: 'user' }],
    ]);
    await mesh.event(first, { type: 'execution_complete', cancelled: true, content: 'as far as I' });
    await ended(first, 'cancelled');
    expect((await messages(first)).at(-1)).toMatchObject({ role: 'assistant', text: 'as far as I' });
    expect(await start('d', sessionKey)).toMatchObject({ status: 'accepted' });
  });
});

describe('reset', () => {
  test('starts an empty incarnation, ends the old runs, and ignores what they still produce', async () => {
    const sessionKey = 'reset';
    const [running, waiting] = [await start('a', sessionKey), await start('b', sessionKey)];
    const { session, previousSessionId } = await mesh.call(rpc.resetSession, { sessionKey }, admin);
    expect(previousSessionId).toBe(running.sessionId);
    expect(session).toMatchObject({ messageCount: 0, sessionKey: 'agent:main:reset' });
    expect(session.sessionId).not.toBe(previousSessionId);
    expect([(await runOf(running))?.status, (await runOf(waiting))?.status]).toEqual(['cancelled', 'cancelled']);
    const next = await start('fresh', sessionKey);
    expect(next.sessionId).toBe(session.sessionId);
    await mesh.event(running, { type: 'execution_complete', content: 'too late' });
    await mesh.event(next, { type: 'execution_complete', content: 'hello again' });
    await ended(next, 'ok');
    expect((await messages(next)).map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'fresh'],
      [2, 'hello again'],
    ]);
    await waitFor(async () =>
      (await mesh.events('changed', session.sessionId)).some(({ data }) => data.change === 'reset' && data.previousSessionId === previousSessionId),
    );
  });
});

describe('inject', () => {
  test('appends to the transcript and shows to watchers, once per key', async () => {
    const run = await start();
    const { sessionKey } = run;
    for (const [contract, input] of [[rpc.injectMessage, { sessionKey, message: 'not mine to say' }] as const, [rpc.resetSession, { sessionKey }] as const]) {
      await expect(mesh.call(contract, input)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    }
    const injected = await mesh.call(rpc.injectMessage, { sessionKey, message: 'The import has finished.', label: 'pipeline', idempotencyKey: 'i1' }, admin);
    expect(await mesh.call(rpc.injectMessage, { sessionKey, message: 'The import has finished.', idempotencyKey: 'i1' }, admin)).toEqual(injected);
    await expect(mesh.call(rpc.injectMessage, { sessionKey, message: 'something else', idempotencyKey: 'i1' }, admin)).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(mesh.call(rpc.injectMessage, { sessionKey: 'nobody', message: 'x' }, admin)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect((await messages(run)).at(-1)).toMatchObject({ messageId: injected.messageId, role: 'assistant', label: 'pipeline' });
    await waitFor(async () => (await mesh.events('event', run.sessionId)).length === 1);
    expect((await mesh.events('event', run.sessionId))[0]?.data).toMatchObject({
      event: { type: 'message', text: 'The import has finished.', label: 'pipeline' },
    });
  });
});

describe('silent runs', () => {
  test('end as RUN_TIMEOUT, are told to stop, and the next run follows', async () => {
    const accept = (message: string) => mesh.call(rpc.acceptMessage, { sessionKey: 'silent', message, idempotencyKey: `silent-${message}`, timeoutMs: 1_000 });
    const [first, second] = [await accept('a'), await accept('b')];
    await ended(first, 'timeout');
    expect(await runOf(first)).toMatchObject({ error: { code: 'RUN_TIMEOUT' } });
    await waitFor(async () => (await startsOf(first.sessionId)).some(({ data }) => data.runId === second.runId));
    await waitFor(async () => (await mesh.commands()).some(({ name, data }) => name === 'cancel' && data.runId === first.runId && data.reason === 'timeout'));
    await waitFor(async () => (await mesh.events('event', first.sessionId)).some(({ data }) => data.runId === first.runId));
    expect((await mesh.events('event', first.sessionId)).filter(({ data }) => data.runId === first.runId)).toHaveLength(1);
  });

  test('that still produce events live on', async () => {
    const run = await mesh.call(rpc.acceptMessage, { sessionKey: 'lively', message: 'x', idempotencyKey: 'lively', timeoutMs: 600_000 });
    for (let index = 0; index < 8; index += 1) {
      await mesh.event(run, chunk('.'), { runSeq: index + 1, epoch: 1 });
    }
    // Overdue by its row, not by its stream: whoever looks finds that it spoke a moment ago.
    const age = `UPDATE runs SET due_at = now() - interval '1 hour' WHERE run_id = 'lively' RETURNING id`;
    await mesh.database.query('spec_age', age, []);
    const looked = `SELECT 1 AS one FROM runs WHERE run_id = 'lively' AND due_at > now() + interval '2 minutes'`;
    await waitFor(async () => (await mesh.database.query('spec_looked', looked, [])).length === 1, { timeoutMs: 60_000, what: 'the run to be looked at' });
    expect((await runOf(run))?.status).toBe('started');
    await mesh.event(run, { type: 'execution_complete' }, { runSeq: 9, epoch: 1 });
    await ended(run, 'ok');
    expect((await messages(run)).at(-1)?.text).toBe('........');
  });
});

test('whatever the order, repetition and number of events, a session ends every run once and its transcript is what the stream says', async () => {
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 5 }).map((content) => ({ type: 'text_chunk', content })) },
    { weight: 1, arbitrary: fc.constant({ type: 'text_reset' }) },
    {
      weight: 2,
      arbitrary: fc
        .option(fc.string({ maxLength: 5 }), { nil: undefined })
        .map((content) => ({ type: 'execution_complete', ...(content === undefined ? {} : { content }) })),
    },
    { weight: 1, arbitrary: fc.constant({ type: 'execution_error', code: 'VM_LOST', error: 'lost' }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
      const run = await start();
      for (const each of [...events, { type: 'execution_complete', content: 'last resort' }]) await mesh.event(run, each);
      await waitFor(async () => !['queued', 'started'].includes((await runOf(run))?.status ?? ''));
      let text = '';
      let answer: string | undefined;
      for (const each of [...events, { type: 'execution_complete', content: 'last resort' }]) {
        const { type, content } = each as { type: string; content?: string };
        if (type === 'text_chunk') text += content;
        else if (type === 'text_reset') text = '';
        else {
          answer = type === 'execution_complete' ? (content ?? text) : '';
          break;
        }
      }
      expect((await messages(run)).filter(({ role }) => role === 'assistant').map((message) => message.text)).toEqual(answer ? [answer] : []);
    }),
    { numRuns: 25 },
  );
});

test('an answer without measure is cut, says so, and does not keep the session from going on', async () => {
  const run = await start();
  for (let index = 0; index < 6; index += 1) await mesh.event(run, chunk('ä'.repeat(100_000)));
  await mesh.event(run, { type: 'execution_complete' });
  await ended(run, 'ok');
  const answer = (await messages(run)).at(-1)?.text ?? '';
  expect(answer.startsWith('äää')).toBe(true);
  expect(answer).toContain('[cut: ');
  expect(Buffer.byteLength(answer)).toBeLessThanOrEqual(512 * 1024);
  await waitFor(async () => (await mesh.events('message', run.sessionId)).length === 2);
  expect(await start('next', run.sessionKey)).toMatchObject({ status: 'accepted' });
});
