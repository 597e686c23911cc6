import { CloseRun } from './close-run.js';
import type { RoutingStore, RoutingTransaction, RunReading, SessionEvents, StoredRun, StoredSession } from './ports.js';

const session = { ref: 1, sessionId: 's', activeRunId: 'r1' } as unknown as StoredSession;
const run = (id: number, more: Partial<StoredRun> = {}) =>
  ({ id, tenant: 'acme', sessionRef: 1, sessionId: 's', runId: `r${id}`, status: 'queued', queueMode: 'steer', ...more }) as unknown as StoredRun;

/** Closes the run r1 while r2 to r4 wait, and says what became of them. */
async function close(tookAlong: string[], active = 'r1') {
  const open = [run(1, { status: 'started', queueMode: 'followup' }), run(2), run(3), run(4, { queueMode: 'followup' })];
  const steps: string[] = [];
  const tx = {
    lockSessionByRef: async () => ({ ...session, activeRunId: active }),
    findRun: async () => open.find(({ id }) => id === 1),
    openRuns: async () => open.filter(({ status }) => status === 'queued' || status === 'started'),
    mergeRuns: async (leader: StoredRun, merged: readonly StoredRun[]) => {
      for (const one of merged) Object.assign(one, { mergedInto: leader.runId });
    },
    endRun: async (_session: StoredSession, ended: StoredRun) => {
      steps.push(`${ended.runId} ended`);
      Object.assign(ended, { status: 'ok' });
    },
    appendMessage: async () => ({}),
    movePosition: async () => undefined,
    publish: async () => undefined,
  };
  const store = {
    findRunInSession: async () => ({ run: open[0], position: { seq: 0, epoch: 0 } }),
    transaction: (work: (tx: RoutingTransaction) => Promise<unknown>) => work(tx as unknown as RoutingTransaction),
  };
  const reading: RunReading = { end: { end: { status: 'ok', text: '' } as never, position: { seq: 9, epoch: 0 } }, tookAlong };
  const events: SessionEvents = { readRun: async () => reading };
  const release = {
    execute: async (_tx: unknown, _config: unknown, _session: unknown, waiting: readonly StoredRun[]) => {
      steps.push(`released ${waiting.map(({ runId }) => runId).join(' ')}`);
      return [];
    },
  };
  const answers = { queue: async () => undefined, hurry: () => undefined };
  const closing = new CloseRun(
    store as unknown as RoutingStore,
    events,
    release as never,
    answers as never,
    () => undefined,
    () => 'id',
  );
  await closing.execute({ tenant: 'acme', sessionId: 's', runId: 'r1', seq: 9 });
  return steps;
}

describe('the end of a run', () => {
  it('is that of the further messages that it took along, also when its end is consumed before its words about them', async () => {
    expect(await close(['r2'])).toEqual(['r1 ended', 'r2 ended', 'released r3 r4']);
  });

  it('is not that of messages that were no further ones, that it does not know, or that came to another run', async () => {
    expect(await close(['r1', 'r4', 'unknown'])).toEqual(['r1 ended', 'released r2 r3 r4']);
    expect(await close(['r2'], 'another')).toEqual(['r1 ended']);
  });

  it('is asked for again when the stream cannot be read up to it yet', async () => {
    const store = { findRunInSession: async () => ({ run: run(1, { status: 'started' }), position: { seq: 0, epoch: 0 } }) };
    const events = { readRun: async () => ({ behind: true }) };
    const closing = new CloseRun(
      store as unknown as RoutingStore,
      events,
      {} as never,
      {} as never,
      () => undefined,
      () => 'id',
    );
    expect((await closing.execute({ tenant: 'acme', sessionId: 's', runId: 'r1', seq: 9 })).outcome).toBe('not-yet-readable');
  });
});
