import type { Bus, Consumption } from '@plexus/bus';
import { CONSUMERS, type DataOf, routingContracts as rpc, runContracts, sessionContracts } from '@plexus/contracts';
import { PlexusError, retry } from '@plexus/kernel';
import { connectTestBus, startTestPostgres, type TestPostgres, waitFor } from '@plexus/testing';
import { type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let postgres: TestPostgres;
let mesh: RoutingMesh;
let vm: { bus: Bus; consumption: Consumption };
/** Messages of the work queue that handed out each run: a redelivery of the same message is none of routing's. */
const handedOut = new Map<string, Set<number>>();

/** Stands for scheduler and VM: answers every run with its message, twice, as at-least-once delivery may. */
async function startEchoVm(url: string): Promise<typeof vm> {
  const bus = await connectTestBus(url, { service: 'scheduler' });
  const consumption = bus.consume(CONSUMERS.schedulerRun, async ({ data, parsed, seq }) => {
    if (parsed?.name !== 'start') return { kind: 'done' };
    const { sessionId, sessionKey, owner, runId, message } = data as DataOf<typeof runContracts.startRun>;
    handedOut.set(runId, (handedOut.get(runId) ?? new Set()).add(seq));
    const base = { sessionId, sessionKey, owner, runId, epoch: 1 };
    const say = (runSeq: number, event: { type: string; content?: string }) =>
      bus.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: [sessionId], data: { ...base, runSeq, event }, id: `${sessionId}:${runId}:${runSeq}` });
    await say(1, { type: 'text_chunk', content: `echo ${message}` });
    await say(2, { type: 'execution_complete' });
    return { kind: 'done' };
  });
  return { bus, consumption };
}

beforeAll(async () => {
  postgres = await startTestPostgres();
  mesh = await startRoutingMesh(2, {}, postgres.url());
  vm = await startEchoVm(mesh.nats.url);
});
afterAll(async () => {
  await vm.consumption.stop();
  await vm.bus.close();
  await mesh.stop();
  await postgres.stop();
});

/** Sends like a client: the same key again until it is acknowledged. */
function send(session: number, n: number): Promise<unknown> {
  const data = { sessionKey: `out-${session}`, message: `m${n}`, idempotencyKey: `out-${session}-${n}` };
  return retry(() => mesh.call(rpc.acceptMessage, data, {}, { timeoutMs: 5_000 }), {
    attempts: 240,
    baseMs: 50,
    capMs: 500,
    isRetryable: (error) => PlexusError.isPlexusError(error) && error.retryable,
  });
}

async function expectEveryMessageAnsweredOnce(sessions: number, perSession: number): Promise<void> {
  for (let session = 0; session < sessions; session += 1) {
    const history = () => mesh.call(rpc.getHistory, { sessionKey: `out-${session}`, limit: 1_000 });
    const { messages } = await waitFor(
      async () => {
        const found = await history();
        return found.totalMessages >= perSession * 2 ? found : undefined;
      },
      { timeoutMs: 120_000, what: `session ${session} to be answered` },
    );
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: perSession * 2 }, (_, index) => index + 1));
    const texts = (role: string) => messages.filter((message) => message.role === role).map(({ text }) => text);
    expect(texts('assistant')).toEqual(texts('user').map((text) => `echo ${text}`));
    expect(new Set(texts('user')).size).toBe(perSession);
    const runs = await mesh.database.query<{ status: string; n: number }>(
      'statuses',
      'SELECT status, count(*)::int AS n FROM runs WHERE session_key = $1 GROUP BY 1',
      [`agent:main:out-${session}`],
    );
    expect(runs).toEqual([{ status: 'ok', n: perSession }]);
  }
}

// What Postgres forgets, the stream still recognises as a repeat. A killed nats-server may have lost the receipt of a hand-out together with the memory of
// it (the queue forgets what was acknowledged): the outbox then repeats it, at least once, and the worker recognises the run by its id.
test.each([
  ['Postgres', () => postgres, 1],
  ['nats-server', () => mesh.nats, 2],
])(
  'kill -9 and restart of %s in the middle of traffic: every acknowledged message is answered once, nothing is lost or doubled',
  async (_what, server, mostHandOuts) => {
    const sessions = 4;
    const perSession = 12;
    await mesh.database.query('clean', 'DELETE FROM sessions');
    const traffic = Array.from({ length: sessions }, async (_, session) => {
      for (let n = 0; n < perSession; n += 1) await send(session, n);
    });
    await waitFor(async () => ((await mesh.database.query<{ n: number }>('count', 'SELECT count(*)::int AS n FROM runs'))[0]?.n ?? 0) >= sessions * 3);
    await server().kill('SIGKILL');
    await server().restart();
    await Promise.all(traffic);
    await expectEveryMessageAnsweredOnce(sessions, perSession);
    expect(handedOut.size).toBe(sessions * perSession);
    expect(Math.max(...[...handedOut.values()].map(({ size }) => size))).toBeLessThanOrEqual(mostHandOuts);
    handedOut.clear();
  },
  600_000,
);
