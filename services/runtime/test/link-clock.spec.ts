import { ClockedLink } from './support/clocked-link.js';

let link: ClockedLink;

beforeEach(async () => {
  link = await new ClockedLink().connected();
});

afterEach(async () => {
  expect(await link.close()).toMatchObject({ code: 0 });
  expect([link.calls.open, link.clock.pending]).toEqual([0, 0]);
});

const session = (id: string): { type: string; data: object } => ({ type: 'start_session', data: { session_id: id, agent_id: 'main' } });
const audited = (): unknown[] => link.mesh.stored.filter((frame) => frame.method === 'audit_log').map((frame) => (frame.params as { n: unknown }).n);

describe('the heartbeat loop (C9)', () => {
  it('goes on when every send fails for 12 s: one reconnect, and nothing is lost', async () => {
    for (let n = 1; n <= 5; n++) await link.calls.tell('s', 'audit_log', { event: 'x', n });
    await link.advance(4_000);
    const beatsBefore = link.mesh.beats;
    link.mesh.sendsFail = true;
    for (let n = 6; n <= 9; n++) await link.calls.tell('s', 'audit_log', { event: 'x', n });
    link.mesh.push(session('meanwhile'));
    await link.advance(12_000);
    link.mesh.sendsFail = false;
    await link.calls.tell('s', 'audit_log', { event: 'x', n: 10 });
    await link.advance(30_000);
    expect(link.mesh.accepted).toBe(2);
    expect(audited()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(link.commands).toEqual(['start_session']);
    expect(link.mesh.beats).toBeGreaterThanOrEqual(beatsBefore + 3);
    expect([link.sender.unacked, link.mesh.unackedCommands]).toEqual([0, 0]);
  });

  it('gives the socket up after two heartbeats in a row that failed, although nothing else is sent', async () => {
    await link.advance(5_000);
    link.mesh.sendsFail = true;
    await link.advance(12_000);
    link.mesh.sendsFail = false;
    await link.advance(60_000);
    expect(link.mesh.accepted).toBe(2);
    const beats = link.mesh.beats;
    await link.advance(30_000);
    expect(link.mesh.beats).toBeGreaterThan(beats);
  });

  it('is taken up again when a step of it throws, and the restarts are counted', async () => {
    link.mesh.throws = true;
    await link.advance(12_000);
    link.mesh.throws = false;
    expect(link.counters.loopRestarts).toBeGreaterThan(0);
    const beats = link.mesh.beats;
    await link.advance(60_000);
    expect(link.mesh.beats).toBeGreaterThan(beats + 3);
  });
});

describe('frames that come before the answer to resume (C4)', () => {
  async function reconnectWithoutAnswer(): Promise<void> {
    link.mesh.answersResume = false;
    link.mesh.cut();
    await link.advance(2_000);
    expect(link.mesh.resumes).toHaveLength(1);
  }

  it('are held, and carried out once, in order, when it has come', async () => {
    link.mesh.beforeInit = [{ ...session('a'), fseq: 1 }];
    await link.settle();
    link.mesh.cut();
    link.mesh.push(session('a'));
    link.mesh.push({ type: 'stop_session', data: { session_id: 'a', reason: 'user_closed' } });
    link.mesh.answersResume = false;
    await link.advance(2_000);
    expect(link.mesh.accepted).toBe(2);
    expect([link.commands, link.mesh.unackedCommands]).toEqual([[], 2]);
    link.mesh.answerResume();
    await link.advance(1_000);
    expect([link.commands, link.mesh.unackedCommands]).toEqual([['start_session', 'stop_session'], 0]);
  });

  it('go on without it when it does not come, or when too many wait', async () => {
    await reconnectWithoutAnswer();
    link.mesh.push(session('a'));
    await link.advance(10_000);
    expect(link.commands).toEqual(['start_session']);
    link.mesh.cut();
    await link.advance(2_000);
    for (let n = 0; n < 300; n++) link.mesh.push(session(`s${n}`));
    await link.advance(250);
    expect(link.commands).toHaveLength(301);
    expect(link.log.filter(({ message }) => message === 'going on without the answer to resume')).toHaveLength(2);
  });
});

describe('requests', () => {
  const ids = (): unknown[] => link.mesh.stored.filter((frame) => frame.type === 'request').map((frame) => frame.id);

  it('are answered by a response, also one with an error, and leave nothing behind', async () => {
    link.mesh.onFrame = (frame) => {
      if (frame.type === 'request')
        link.mesh.says({
          type: 'response',
          id: frame.id,
          ...(frame.method === 'ok' ? { result: frame.params } : { error: { code: 'NOT_FOUND', message: 'no' } }),
        });
    };
    const good = link.calls.request('s', 'ok', { a: 1 });
    const bad = link.calls.request('s', 'bad', {});
    bad.catch(() => undefined);
    await link.settle();
    await expect(good).resolves.toEqual({ a: 1 });
    await expect(bad).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'no', retryable: false });
    expect(link.calls.open).toBe(0);
  });

  it('whose answer was lost with the socket end by what resume says of them; one that is not known is sent again with its id', async () => {
    const asked = ['completed', 'failed', 'pending', 'not_found'].map((method) => link.calls.request('s', method, {}));
    for (const one of asked) one.catch(() => undefined);
    await link.settle();
    const [completed, failed, pending, lost] = ids() as [string, string, string, string];
    const said = {
      [completed]: { status: 'completed', data: 1 },
      [failed]: { status: 'failed', error: { code: 'X', message: 'x' } },
      [pending]: { status: 'pending' },
    };
    link.mesh.resumeResult = (id) => (said as Record<string, object>)[id] ?? { status: 'not_found' };
    link.mesh.cut();
    await link.advance(2_000);
    await expect(asked[0]).resolves.toBe(1);
    await expect(asked[1]).rejects.toMatchObject({ code: 'X' });
    expect(link.mesh.resumes).toEqual([[completed, failed, pending, lost]]);
    expect(ids()).toEqual([completed, failed, pending, lost, lost]);
    link.mesh.says({ type: 'response', id: pending, result: 'p' });
    link.mesh.says({ type: 'response', id: lost, result: 'l' });
    link.mesh.says({ type: 'response', id: lost, result: 'again' });
    await link.settle();
    await expect(Promise.all([asked[2], asked[3]])).resolves.toEqual(['p', 'l']);
  });

  it('that never reached the mesh go out again with the spool, once, and resume does not ask about them', async () => {
    link.mesh.sendsFail = true;
    const asked = link.calls.request('s', 'm', {});
    await link.settle();
    link.mesh.sendsFail = false;
    await link.advance(3_000);
    expect(link.mesh.resumes).toEqual([[]]);
    expect(ids()).toHaveLength(1);
    link.mesh.says({ type: 'response', id: ids()[0], result: 1 });
    await link.settle();
    await expect(asked).resolves.toBe(1);
  });
});

describe('a runtime that is still loading', () => {
  it('says who it is at once, reads nothing before it can, and then everything in order', async () => {
    let loaded = (): void => undefined;
    const loading = new ClockedLink(
      new Promise((resolve) => {
        loaded = resolve;
      }),
    );
    loading.mesh.beforeInit = [{ ...session('a'), fseq: 1 }];
    await loading.connected();
    expect([loading.mesh.accepted, loading.mesh.beats, loading.commands]).toEqual([1, 0, []]);
    loaded();
    await loading.settle();
    expect([loading.mesh.accepted, loading.mesh.beats, loading.commands]).toEqual([1, 1, ['start_session']]);
    expect(await loading.close()).toMatchObject({ code: 0 });
  });

  it('ends when a part of it cannot be loaded, and says which', async () => {
    const broken = new ClockedLink(Promise.reject(new Error('no such module')));
    await broken.settle();
    expect(await broken.close()).toEqual({ code: 1, reason: expect.stringContaining('no such module') });
  });
});
