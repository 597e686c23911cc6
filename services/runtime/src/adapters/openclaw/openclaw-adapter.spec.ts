import type { FenceStage } from '../../domain/fence.js';
import { RunCancelled } from '../../application/execute-run.js';
import { bench, dataOf, runOf, settle, turnOf } from '../../../test/support/bridge-bench.js';

describe('a session of kind openclaw', () => {
  it('makes itself known before its first message and tells only what changed before the next', async () => {
    const { adapter, child, children } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session, turnOf('r1', 's1', { systemPrompt: 'be kind', temperature: 0.5, maxTokens: 9, history: [{ role: 'user', text: 'earlier' }] }));
    await settle();
    expect(child().told).toMatchObject([
      {
        type: 'start',
        session_id: 's1',
        run_id: 'r1',
        workspace: '/vm/s1',
        data: { agent_id: 'main' },
        model: { base_url: 'http://model/v1', api_key: 'the-model-key' },
      },
      {
        type: 'user_message',
        session_id: 's1',
        run_id: 'r1',
        data: { message: 'hi', history: [{ role: 'user', text: 'earlier' }], system_prompt: 'be kind', temperature: 0.5, max_tokens: 9, resume: false },
      },
    ]);
    child().event('text_chunk', { content: 'hello' });
    child().event('execution_complete');
    await first.done;
    expect([first.pieces, first.end]).toEqual([[{ type: 'text', text: 'hello' }], 'complete']);

    for (const [runId, changed] of [
      ['r2', false],
      ['r3', true],
    ] as const) {
      if (changed) session.update?.(dataOf('s1', { agent_config: { model: 'other' } }));
      const next = runOf(session, turnOf(runId));
      await settle();
      child().event('execution_complete', {}, runId);
      await next.done;
    }
    expect(children).toHaveLength(1);
    expect(child().told.map((one) => one.type)).toEqual(['start', 'user_message', 'user_message', 'config_update', 'user_message']);
  });

  it('gives each turn of one run an id of its own: an end said twice does not end the next turn', async () => {
    const { adapter, child } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session);
    await settle();
    child().event('execution_complete');
    await first.done;
    const second = runOf(session);
    await settle();
    child().event('execution_complete', { content: 'again' });
    await settle();
    expect([
      second.end,
      child()
        .of('user_message')
        .map((one) => one.run_id),
    ]).toEqual([undefined, ['r1', 'r1.2']]);
    child().event('execution_complete', { content: 'right' }, 'r1.2');
    await second.done;
    expect(second.pieces).toEqual([{ type: 'text', text: 'right' }]);
  });

  it('is one of its session: two sessions may name their runs alike', async () => {
    const { adapter, child } = bench();
    const first = runOf(adapter.start(dataOf('s1')));
    const second = runOf(adapter.start(dataOf('s2')), turnOf('r1', 's2'));
    await settle();
    child().event('text_chunk', { content: 'one' }, 'r1', 's1');
    child().event('text_chunk', { content: 'two' }, 'r1', 's2');
    child().event('execution_complete', {}, 'r1', 's1');
    await settle();
    expect([first.end, first.pieces, second.end]).toEqual(['complete', [{ type: 'text', text: 'one' }], undefined]);
    child().event('execution_complete', {}, 'r1', 's2');
    await settle();
    expect([second.end, second.pieces]).toEqual(['complete', [{ type: 'text', text: 'two' }]]);
    child().exit();
  });

  it('ends with BRIDGE_EXITED when the bridge dies; the next message waits for the back-off and works', async () => {
    const { adapter, child, children, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session);
    await settle();
    child().event('text_chunk', { content: 'half' });
    child().exit(3);
    await first.done;
    expect([first.end, first.pieces]).toEqual(['BRIDGE_EXITED', [{ type: 'text', text: 'half' }]]);
    const second = runOf(session, turnOf('r2'));
    await clock.advance(499);
    expect(children).toHaveLength(1);
    await clock.advance(1);
    expect([children.length, child().told.map((one) => one.type)]).toEqual([2, ['start', 'user_message']]);
    child().event('execution_complete', { content: 'back' }, 'r2');
    await second.done;
    expect(second.end).toBe('complete');
  });

  it('waits longer after each failure in a row, up to 30 s, and not at all after one that worked', async () => {
    const { adapter, child, children, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      const before = clock.monotonic();
      const run = runOf(session, turnOf(`r${round}`));
      while (children.length === round) await clock.advance(100);
      waits.push(clock.monotonic() - before);
      await settle();
      child().exit();
      await run.done;
    }
    expect(waits).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    const good = runOf(session, turnOf('good'));
    await clock.advance(30_000);
    child().event('execution_complete', {}, 'good');
    await good.done;
    child().exit();
    const before = clock.monotonic();
    const next = runOf(session, turnOf('next'));
    while (children.length === 10) await clock.advance(100);
    expect(clock.monotonic() - before).toBe(500);
    child().exit();
    await next.done;
  });

  it('can be cancelled while the back-off lasts', async () => {
    const { adapter, child, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session);
    await settle();
    child().exit();
    await first.done;
    const second = runOf(session, turnOf('r2'));
    await settle();
    second.stop.abort(new RunCancelled('user'));
    await second.done;
    expect([second.end, clock.pending]).toEqual(['cancelled', 0]);
  });

  it('starts the session anew after an error: what it lacked may be there by then', async () => {
    const { adapter, child, children } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session);
    await settle();
    child().event('execution_error', { code: 'OPENCLAW_NOT_INSTALLED', error: 'Install it; the key the-model-key is fine.' });
    await first.done;
    expect(first.end).toBe('OPENCLAW_NOT_INSTALLED');
    const second = runOf(session, turnOf('r2'));
    await settle();
    expect([children.length, child().of('start').length]).toEqual([1, 2]);
    child().event('execution_complete', {}, 'r2');
    await second.done;
  });
});

describe('snapshots and the end', () => {
  it('finding 17: asks the bridge for the state of a session, gives it once as long as it does not change, and never starts a bridge for it', async () => {
    const { adapter, child, children, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    expect([await session.snapshot?.(), children.length]).toEqual([undefined, 0]);
    const run = runOf(session);
    await settle();
    child().event('execution_complete');
    await run.done;
    const answer = async (checkpoint: unknown) => {
      const snapshot = session.snapshot?.();
      await settle();
      child().says({ type: 'snapshot', session_id: 's1', id: child().of('get_snapshot').at(-1)?.id, data: { checkpoint, short_term_memory: [1] } });
      return snapshot;
    };
    expect(await answer({ n: 1 })).toMatchObject({ checkpoint: { n: 1 }, short_term_memory: [1] });
    expect(await answer({ n: 1 })).toBeUndefined();
    expect(await answer({ n: 2 })).toMatchObject({ checkpoint: { n: 2 } });
    const silent = session.snapshot?.();
    await clock.advance(10_000);
    expect(await silent).toBeUndefined();
  });

  it('tells the bridge that a session is over, and lets it go when nobody asked it anything for a while', async () => {
    const { adapter, child, children, clock } = bench({ idleMs: 60_000 });
    const session = adapter.start(dataOf('s1'));
    const run = runOf(session);
    await settle();
    child().event('execution_complete');
    await run.done;
    await session.close?.('user_closed');
    await clock.advance(60_000);
    expect(child().of('stop')).toEqual([
      { type: 'stop', session_id: 's1', data: { reason: 'user_closed' } },
      { type: 'stop', data: { reason: 'idle' } },
    ]);
    child().exit(0);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    const again = runOf(adapter.start(dataOf('s2')), turnOf('r2', 's2'));
    await settle();
    expect(children).toHaveLength(2);
    child().exit();
    await again.done;
  });

  it('ends with the runtime: stop and end of input, then TERM, then KILL; what comes after is refused', async () => {
    const { adapter, child, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    const run = runOf(session);
    await settle();
    const closing = adapter.close();
    expect([child().of('stop').length, child().inputEnded]).toEqual([1, true]);
    await clock.advance(2_000);
    expect(child().signals).toEqual(['SIGTERM', 'SIGKILL']);
    child().exit(null);
    await Promise.all([closing, run.done]);
    const late = runOf(session, turnOf('r2'));
    await late.done;
    expect([run.end, late.end, clock.pending]).toEqual(['BRIDGE_EXITED', 'BRIDGE_UNAVAILABLE', 0]);
  });
});

describe('while the mesh cannot be reached', () => {
  it('the bridge is ended as tools are: TERM, then KILL, once each', async () => {
    let stage: FenceStage = 'open';
    const { adapter, child, clock } = bench({ fenceStage: () => stage });
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    for (const next of ['no-new-work', 'stop-tools', 'kill-tools'] as const) {
      stage = next;
      await clock.advance(3_000);
    }
    expect(child().signals).toEqual(['SIGTERM', 'SIGKILL']);
    child().exit(null);
    await run.done;
    expect([run.end, clock.pending]).toEqual(['BRIDGE_EXITED', 0]);
  });
});
