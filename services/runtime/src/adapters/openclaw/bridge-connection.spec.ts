import fc from 'fast-check';
import { RunCancelled } from '../../application/execute-run.js';
import { bench, dataOf, runOf, settle, turnOf } from '../../../test/support/bridge-bench.js';

describe('a cancelled run', () => {
  it('ends when the bridge says so, as cancelled whatever it says, and nothing is left behind', async () => {
    const { adapter, child, clock } = bench({ idleMs: 60_000 });
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    child().event('text_chunk', { content: 'half' });
    run.stop.abort(new RunCancelled('user'));
    await settle();
    expect([child().of('cancel'), run.end]).toMatchObject([[{ session_id: 's1', run_id: 'r1', data: { reason: 'user', force: false } }], undefined]);
    child().event('tool_call_complete', { tool_name: 't', result: 1 });
    child().event('execution_error', { code: 'AGENT_FAILED', error: 'aborted' });
    await run.done;
    expect([run.end, run.pieces.map((piece) => piece.type), clock.pending]).toEqual(['cancelled', ['text', 'tool_end'], 1]);
  });

  it('that the bridge does not stop is asked for again after 5 s, gets TERM after 10 s, and KILL and its end after 15 s', async () => {
    const { adapter, child, clock } = bench();
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    run.stop.abort(new RunCancelled('user'));
    const seen = (): unknown[] => [
      child()
        .of('cancel')
        .map((one) => (one.data as { force: boolean }).force),
      child().signals,
      run.end,
    ];
    await clock.advance(4_999);
    expect(seen()).toEqual([[false], [], undefined]);
    await clock.advance(1);
    expect(seen()).toEqual([[false, true], [], undefined]);
    await clock.advance(5_000);
    expect(seen()).toEqual([[false, true], ['SIGTERM'], undefined]);
    await clock.advance(5_000);
    expect(seen()).toEqual([[false, true], ['SIGTERM', 'SIGKILL'], 'cancelled']);
  });

  it('leaves the runs of other sessions alone: the bridge is replaced after the last of them', async () => {
    const { adapter, child, children, clock } = bench();
    const [one, other] = [adapter.start(dataOf('s1')), adapter.start(dataOf('s2'))];
    const stuck = runOf(one);
    const long = runOf(other, turnOf('r2', 's2'));
    await settle();
    stuck.stop.abort(new RunCancelled('user'));
    await clock.advance(20_000);
    expect([stuck.end, long.end, child().signals]).toEqual(['cancelled', undefined, []]);
    child().event('text_chunk', { content: 'fine' }, 'r2', 's2');
    child().event('text_chunk', { content: 'late' }, 'r1', 's1');
    child().event('execution_complete', {}, 'r2', 's2');
    await long.done;
    expect([long.end, long.pieces, child().of('stop')]).toMatchObject(['complete', [{ text: 'fine' }], [{ data: { reason: 'it is replaced' } }]]);
    const next = runOf(one, turnOf('r3'));
    await settle();
    expect(children).toHaveLength(1);
    child().exit(0);
    await clock.advance(0);
    expect(children).toHaveLength(2);
    child().event('execution_complete', {}, 'r3');
    await next.done;
  });

  it.each([
    ['the process stops', new Error('the runtime stops')],
    ['it timed out', new Error('the run is over')],
  ])('is stopped in the bridge too when %s, without anybody waiting for it', async (_, reason) => {
    const { adapter, child } = bench();
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    run.stop.abort(reason);
    await run.done;
    expect(child().of('cancel')).toHaveLength(1);
    child().exit();
  });
});

describe('whatever a bridge does', () => {
  it('each of its runs has exactly one end, and a cancelled one is cancelled', async () => {
    const step = fc.constantFrom('text', 'complete', 'error', 'cancel', 'exit', 'garbage', 'wait', 'stray', 'deaf');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        const { adapter, child, clock } = bench();
        const run = runOf(adapter.start(dataOf('s1')));
        await settle();
        let cancelledFirst = false;
        for (const one of steps) {
          if (one === 'text') child().event('text_chunk', { content: 'x' });
          else if (one === 'complete') child().event('execution_complete', { content: 'x' });
          else if (one === 'error') child().event('execution_error', { code: 'AGENT_FAILED', error: 'x' });
          else if (one === 'exit') child().exit();
          else if (one === 'garbage') child().says('{');
          else if (one === 'stray') child().event('execution_complete', {}, 'another');
          else if (one === 'deaf') child().takes = false;
          else if (one === 'wait') await clock.advance(16_000);
          else {
            cancelledFirst ||= run.end === undefined;
            run.stop.abort(new RunCancelled('user'));
          }
          await settle();
        }
        run.stop.abort(new RunCancelled('user'));
        await clock.advance(16_000);
        expect(run.end).toBeDefined();
        if (cancelledFirst) expect(run.end).toBe('cancelled');
      }),
      { numRuns: 60 },
    );
  });

  it('a line that is none is logged by its size and skipped', async () => {
    const { adapter, child, log } = bench();
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    child().says('my secret diary');
    child().handlers.line({ kind: 'too-long', bytes: 5_000_000 });
    child().says({ type: 'text_chunk', session_id: 's1', content: 'private' });
    child().handlers.stderr({ kind: 'text', text: 'using the-model-key now', bytes: 23 });
    child().event('execution_complete', { content: 'fine' });
    await run.done;
    expect([run.end, log()]).toEqual(['complete', expect.stringMatching(/"bytes":15.*"bytes":5000000.*run_id.*using \[secret\] now/s)]);
    expect(log()).not.toMatch(/diary|private|the-model-key/);
  });

  it('too much of it for its reader makes it wait, until half is taken', async () => {
    const { adapter, child } = bench();
    const pieces = adapter.start(dataOf('s1')).run(turnOf(), new AbortController().signal)[Symbol.asyncIterator]();
    const first = pieces.next();
    await settle();
    for (let count = 0; count < 300; count++) child().event('text_chunk', { content: 'x' });
    await first;
    expect(child().paused).toBe(true);
    for (let count = 0; count < 100; count++) await pieces.next();
    expect(child().paused).toBe(true);
    for (let count = 0; count < 100; count++) await pieces.next();
    expect(child().paused).toBe(false);
    child().exit();
  });

  it('when it does not read, its run ends with BRIDGE_OVERLOADED and it is replaced', async () => {
    const { adapter, child, clock } = bench();
    const session = adapter.start(dataOf('s1'));
    const first = runOf(session);
    await settle();
    child().takes = false;
    child().says({ type: 'cp_request', id: 'q', session_id: 's1', method: 'get_config', params: {} });
    await first.done;
    expect(first.end).toBe('BRIDGE_OVERLOADED');
    await clock.advance(15_000);
    expect(child().signals).toEqual(['SIGTERM', 'SIGKILL']);
  });
});
