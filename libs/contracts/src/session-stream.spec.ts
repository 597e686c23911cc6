import fc from 'fast-check';
import {
  emptySessionStream,
  REMEMBERED_RUNS,
  readSessionEvent,
  runEnd,
  type SessionStreamEvent,
  type SessionStreamState,
  type StreamVerdict,
} from './session-stream.js';

function readAll(items: readonly SessionStreamEvent[], state = emptySessionStream()): { state: SessionStreamState; verdicts: StreamVerdict[] } {
  const verdicts: StreamVerdict[] = [];
  let current = state;
  for (const item of items) {
    const step = readSessionEvent(current, item);
    current = step.state;
    verdicts.push(step.verdict);
  }
  return { state: current, verdicts };
}

const chunk = (runSeq: number, content: string, epoch = 1, runId = 'r'): SessionStreamEvent => ({
  runId,
  runSeq,
  epoch,
  event: { type: 'text_chunk', content },
});

describe('reading a session stream', () => {
  it('joins the chunks of a run and closes it at its end', () => {
    const { verdicts } = readAll([chunk(1, 'Hel'), chunk(2, 'lo'), { runId: 'r', runSeq: 3, epoch: 1, event: { type: 'execution_complete' } }]);
    expect(verdicts).toEqual([
      { kind: 'event', text: 'Hel' },
      { kind: 'event', text: 'Hello' },
      { kind: 'end', end: { status: 'ok', text: 'Hello' } },
    ]);
  });

  it('forgets what was streamed before a text_reset', () => {
    const { verdicts } = readAll([chunk(1, 'wrong'), { runId: 'r', runSeq: 2, event: { type: 'text_reset' } }, chunk(3, 'right')]);
    expect(verdicts.at(-1)).toEqual({ kind: 'event', text: 'right' });
  });

  it('drops what a fenced incarnation wrote behind the marker of its successor', () => {
    const { verdicts } = readAll([chunk(1, 'a', 1), { epoch: 2, event: { type: 'epoch_marker' } }, chunk(2, 'late', 1), chunk(2, 'b', 2)]);
    expect(verdicts[2]).toEqual({ kind: 'dropped', reason: 'stale-epoch' });
    expect(verdicts[3]).toEqual({ kind: 'event', text: 'ab' });
  });

  it('compares epochs within one VM: the marker of another VM sets the floor, and what any other VM says behind it is dropped', () => {
    const on = (vmId: string, item: SessionStreamEvent): SessionStreamEvent => ({ ...item, vmId });
    const marker = (vmId: string, epoch: number) => on(vmId, { epoch, event: { type: 'epoch_marker' } });
    const { state, verdicts } = readAll([
      on('a', chunk(1, 'a', 7)),
      marker('b', 3),
      on('a', chunk(2, 'late', 7)),
      on('b', chunk(2, 'b', 3)),
      marker('b', 2),
      marker('b', 5),
      on('b', chunk(3, 'late', 3)),
      { runId: 'r', event: { type: 'execution_complete' } },
    ]);
    const stale = { kind: 'dropped', reason: 'stale-epoch' };
    expect(verdicts).toMatchObject([
      { text: 'a' },
      { kind: 'marker', epoch: 3 },
      stale,
      { text: 'ab' },
      stale,
      { kind: 'marker', epoch: 5 },
      stale,
      { kind: 'end', end: { text: 'ab' } },
    ]);
    expect(state).toMatchObject({ epoch: 5, vmId: 'b' });
  });

  it('is not deafened by a late event of a VM that its floor does not come from', () => {
    const { verdicts } = readAll(
      [
        { ...chunk(1, 'late', 7, 'old'), vmId: 'a' },
        { ...chunk(1, 'new', 3), vmId: 'b' },
      ],
      emptySessionStream(3),
    );
    expect(verdicts[1]).toEqual({ kind: 'event', text: 'new' });
  });

  it('lets the first end win and drops everything of that run behind it, a second end too', () => {
    const timeout: SessionStreamEvent = { runId: 'r', event: { type: 'execution_error', code: 'RUN_TIMEOUT', error: 'nothing for 600 s' } };
    const { verdicts } = readAll([
      chunk(1, 'a'),
      timeout,
      chunk(2, 'b'),
      { runId: 'r', runSeq: 3, epoch: 1, event: { type: 'execution_complete', content: 'ab' } },
    ]);
    expect(verdicts[1]).toEqual({ kind: 'end', end: { status: 'timeout', text: 'a', error: { code: 'RUN_TIMEOUT', message: 'nothing for 600 s' } } });
    expect(verdicts.slice(2)).toEqual([
      { kind: 'dropped', reason: 'after-end' },
      { kind: 'dropped', reason: 'after-end' },
    ]);
  });

  it('makes missing numbers visible instead of hiding them', () => {
    expect(readAll([chunk(1, 'a'), chunk(4, 'd')]).verdicts[1]).toEqual({ kind: 'event', text: 'ad', gap: { from: 2, to: 3 } });
  });

  it('reports no gap to a reader that starts in the middle of a run', () => {
    expect(readAll([chunk(7, 'g')]).verdicts[0]).toEqual({ kind: 'event', text: 'g' });
  });

  it('never drops an event of a service, which has neither epoch nor number', () => {
    const state = emptySessionStream(99);
    expect(readAll([{ event: { type: 'message', text: 'hi' } }], state).verdicts[0]?.kind).toBe('event');
  });

  it('tells a cancelled run from one that ended well', () => {
    expect(runEnd({ type: 'execution_complete', cancelled: true }, 'half')).toEqual({ status: 'cancelled', text: 'half' });
    expect(runEnd({ type: 'execution_complete', content: '' }, 'streamed')).toEqual({ status: 'ok', text: '' });
    expect(runEnd({ type: 'tool_call_start' })).toBeUndefined();
  });

  const anyEvent: fc.Arbitrary<SessionStreamEvent> = fc.record(
    {
      runId: fc.constantFrom('r1', 'r2', 'r3'),
      runSeq: fc.integer({ min: 1, max: 12 }),
      epoch: fc.integer({ min: 1, max: 4 }),
      event: fc.oneof(
        fc.record({ type: fc.constant('text_chunk'), content: fc.string({ maxLength: 3 }) }),
        fc.record({ type: fc.constantFrom('text_reset', 'thinking', 'epoch_marker', 'execution_complete', 'execution_error') }),
      ),
    },
    { requiredKeys: ['event'] },
  );

  it('property: at most one end per run, numbers only grow, and the floor of epochs never sinks', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), (items) => {
        let state = emptySessionStream();
        const ends = new Map<string, number>();
        const last = new Map<string, number>();
        for (const item of items) {
          const before = state;
          const step = readSessionEvent(state, item);
          state = step.state;
          expect(state.epoch).toBeGreaterThanOrEqual(before.epoch);
          if (step.verdict.kind === 'dropped') {
            expect(state).toBe(before);
            continue;
          }
          if (item.epoch !== undefined) expect(item.epoch).toBeGreaterThanOrEqual(before.epoch);
          if (item.runId === undefined || step.verdict.kind === 'marker') continue;
          expect(ends.has(item.runId)).toBe(false);
          if (item.runSeq !== undefined) {
            expect(item.runSeq).toBeGreaterThan(last.get(item.runId) ?? 0);
            last.set(item.runId, item.runSeq);
          }
          if (step.verdict.kind === 'end') ends.set(item.runId, 1);
        }
      }),
    );
  });

  it('property: a session that moves between VMs, in any order of epochs, is never deaf, and hears nobody but its VM', () => {
    const move = fc.record({
      vmId: fc.constantFrom('a', 'b', 'c'),
      restarted: fc.boolean(),
      late: fc.array(fc.nat(), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.nat(9),
        fc.shuffledSubarray(Array.from({ length: 12 }, (_, index) => index + 1)),
        fc.array(move, { maxLength: 12 }),
        (floor, drawn, moves) => {
          let state = emptySessionStream(floor);
          const current = new Map<string, number>();
          const earlier: { vmId: string; epoch: number }[] = [];
          const take = (item: SessionStreamEvent): StreamVerdict => {
            const step = readSessionEvent(state, item);
            state = step.state;
            return step.verdict;
          };
          for (const [index, { vmId, restarted, late }] of moves.entries()) {
            // A VM keeps its incarnation or gets a newer one; how the epochs of two VMs compare is chance.
            const before = current.get(vmId);
            const epoch = before === undefined ? (drawn[index] ?? 1) : before + (restarted ? 1 : 0);
            current.set(vmId, epoch);
            expect(take({ vmId, epoch, event: { type: 'epoch_marker' } })).toEqual({ kind: 'marker', epoch });
            for (const pick of late) {
              const old = earlier[pick % Math.max(1, earlier.length)];
              if (old === undefined || (old.vmId === vmId && old.epoch === epoch)) continue;
              expect(take({ ...chunk(99, 'late', old.epoch, `run-${index}`), vmId: old.vmId })).toEqual({ kind: 'dropped', reason: 'stale-epoch' });
            }
            expect(take({ ...chunk(1, 'x', epoch, `run-${index}`), vmId })).toEqual({ kind: 'event', text: 'x' });
            earlier.push({ vmId, epoch });
          }
        },
      ),
    );
  });

  it('property: reading a stream twice over, as after a redelivery, changes nothing of a finished session', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 20 }), (parts) => {
        const items = [
          ...parts.map((part, index) => chunk(index + 1, part)),
          { runId: 'r', runSeq: parts.length + 1, epoch: 1, event: { type: 'execution_complete' } },
        ];
        const once = readAll(items);
        const again = readAll(items, once.state);
        expect(again.state).toEqual(once.state);
        expect(again.verdicts.every((verdict) => verdict.kind === 'dropped')).toBe(true);
        expect(once.verdicts.at(-1)).toMatchObject({ kind: 'end', end: { text: parts.join('') } });
      }),
    );
  });

  it('keeps a bounded number of runs', () => {
    const { state } = readAll(Array.from({ length: REMEMBERED_RUNS + 10 }, (_, index) => chunk(1, 'x', 1, `run-${index}`)));
    expect(state.runs).toHaveLength(REMEMBERED_RUNS);
    expect(state.runs.at(-1)?.runId).toBe(`run-${REMEMBERED_RUNS + 9}`);
  });
});
