import fc from 'fast-check';
import type { BridgeEvent } from './bridge-wire.js';
import { RunState } from './run-state.js';

const ids = { session_id: 's', run_id: 'r' };
const chunk = (content: string): BridgeEvent => ({ type: 'text_chunk', ...ids, content });
const complete = (extra: Partial<Extract<BridgeEvent, { type: 'execution_complete' }>> = {}): BridgeEvent => ({ type: 'execution_complete', ...ids, ...extra });
const failure = (code = 'AGENT_FAILED', error = 'It failed.'): BridgeEvent => ({ type: 'execution_error', ...ids, code, error });
const toolEnd: BridgeEvent = { type: 'tool_call_complete', ...ids, tool_name: 't', result: 1, tool_call_id: 'c' };

/** What a reader of the pieces sees at the end. */
function shown(state: RunState, events: readonly BridgeEvent[]): string {
  let text = '';
  for (const piece of events.flatMap((event) => state.feed(event))) text = piece.type === 'reset' ? '' : piece.type === 'text' ? text + piece.text : text;
  return text;
}

describe('a run in a bridge', () => {
  it('has exactly one end for any sequence of outputs, exits, refusals and cancels, and it never changes', () => {
    const steps = {
      text: (state: RunState) => state.feed(chunk('x')),
      reset: (state: RunState) => state.feed({ type: 'text_reset', ...ids }),
      tool: (state: RunState) => state.feed(toolEnd),
      complete: (state: RunState) => state.feed(complete({ content: 'all' })),
      aborted: (state: RunState) => state.feed(complete({ cancelled: true })),
      error: (state: RunState) => state.feed(failure()),
      exit: (state: RunState) => state.exited('gone'),
      overloaded: (state: RunState) => state.fail('BRIDGE_OVERLOADED', 'too much'),
      cancel: (state: RunState) => state.cancel(),
      giveUp: (state: RunState) => state.abandon(),
    };
    const names = Object.keys(steps) as (keyof typeof steps)[];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...names), { maxLength: 12 }), (sequence) => {
        const state = new RunState();
        for (const name of sequence) {
          const before = state.end;
          const pieces = steps[name](state) ?? [];
          if (before) {
            expect(pieces).toEqual([]);
            expect(state.end).toBe(before);
          }
        }
        const endings = ['complete', 'aborted', 'error', 'exit', 'overloaded', 'giveUp'];
        const decisive = sequence.findIndex((name) => endings.includes(name));
        expect(state.end !== undefined).toBe(decisive >= 0);
        const cancelledFirst = sequence.includes('cancel') && (decisive < 0 || sequence.indexOf('cancel') < decisive);
        if (decisive >= 0 && cancelledFirst) expect(state.end).toEqual({ kind: 'cancelled' });
      }),
    );
  });

  it.each([
    ['nothing was streamed', [], 'whole', 'whole'],
    ['it was streamed already', ['who', 'le'], 'whole', 'whole'],
    ['a rest is missing', ['who'], 'whole', 'whole'],
    ['something else was streamed', ['draft'], 'whole', 'whole'],
    ['the end has no text', ['who', 'le'], undefined, 'whole'],
  ])('shows the text of its end once when %s', (_, chunks, content, expected) => {
    expect(shown(new RunState(), [...chunks.map(chunk), complete({ content })])).toBe(expected);
  });

  it('passes tools on in pairs, also when the bridge names no ids', () => {
    const state = new RunState();
    const start: BridgeEvent = { type: 'tool_call_start', ...ids, tool_name: 't', tool_input: { a: 1 } };
    const end: BridgeEvent = { type: 'tool_call_complete', ...ids, tool_name: 't', result: 'r', is_error: true };
    expect([...state.feed(start), ...state.feed(end)]).toEqual([
      { type: 'tool_start', callId: 'call-1', toolName: 't', input: { a: 1 } },
      { type: 'tool_end', callId: 'call-1', toolName: 't', result: 'r', isError: true },
    ]);
  });

  it('keeps what tools return after a cancel, and nothing that the model goes on saying', () => {
    const state = new RunState();
    state.feed(chunk('before'));
    state.cancel();
    expect([...state.feed(chunk('after')), ...state.feed(toolEnd)]).toMatchObject([{ type: 'tool_end', result: 1 }]);
    state.feed(complete());
    expect(state.end).toEqual({ kind: 'cancelled' });
  });

  it('reports what it used up', () => {
    expect(new RunState().feed(complete({ usage: { input_tokens: 3, output_tokens: 4, more: 5 } }))).toEqual([
      { type: 'usage', usage: { input_tokens: 3, output_tokens: 4 } },
    ]);
  });

  it.each([
    ['OPENCLAW_NOT_INSTALLED', 'OPENCLAW_NOT_INSTALLED'],
    ['not a code; drop table', 'AGENT_FAILED'],
  ])('ends with the code %j as %s', (said, code) => {
    const state = new RunState();
    state.feed(failure(said, 'x'.repeat(10_000)));
    expect(state.end).toMatchObject({ kind: 'failed', code, sentence: 'x'.repeat(2_000) });
  });

  it('that the agent stopped by itself is no success and no cancel', () => {
    const state = new RunState();
    state.feed(complete({ cancelled: true }));
    expect(state.end).toMatchObject({ kind: 'failed', code: 'RUN_ABORTED' });
  });
});
