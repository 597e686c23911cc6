import { ChatEvent } from '@plexus/client-protocol';
import { emptySessionStream, readSessionEvent } from '@plexus/contracts';
import fc from 'fast-check';
import { advanceRun, CUMULATIVE_LIMIT, clientEvents, type ClientEvent, errorKind, type RunView, type SessionEventData } from './chat-events.js';

const base = { sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', sessionKey: 'agent:main:main', owner: 'me' };

/** What clients are sent for these events. */
function show(events: readonly Partial<SessionEventData>[]): ClientEvent[] {
  let state = emptySessionStream();
  const views = new Map<string, RunView>();
  return events.flatMap((event, index) => {
    const data = { ...base, ...event } as SessionEventData;
    const first = !state.runs.some(({ runId }) => runId === data.runId);
    const step = readSessionEvent(state, data);
    state = step.state;
    if (step.verdict.kind === 'dropped') return [];
    const view = data.runId === undefined ? undefined : advanceRun(views.get(data.runId), data.runId, data.runSeq);
    if (view !== undefined) views.set(view.runId, view);
    return clientEvents(data, step.verdict, view, { first, at: 1_000 + index, streamSeq: index + 1 });
  });
}

const chunk = (runSeq: number, content: unknown) => ({ runId: 'r', runSeq, event: { type: 'text_chunk', content } });

describe('client events', () => {
  it('property: are what the protocol allows, whatever a VM writes into its events', () => {
    const type = fc.constantFrom(
      'text_chunk',
      'text_reset',
      'thinking',
      'tool_call_start',
      'execution_complete',
      'execution_error',
      'message',
      'epoch_marker',
      'new_type',
    );
    const event = fc
      .tuple(type, fc.dictionary(fc.constantFrom('content', 'usage', 'code', 'error', 'text', 'label', 'cancelled', 'stage'), fc.jsonValue()))
      .map(([name, rest]) => ({ ...rest, type: name }));
    const item = fc.record({ runId: fc.constantFrom('a', 'b'), runSeq: fc.integer({ min: 1, max: 20 }), event }, { requiredKeys: ['event'] });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), (items) => {
        const shown = show(items as Partial<SessionEventData>[]);
        const last = new Map<unknown, number>();
        for (const { event: name, payload } of shown) {
          if (name !== 'chat') continue;
          expect(ChatEvent.safeParse(payload).error).toBeUndefined();
          if (String(payload.runId).startsWith('inject-')) continue;
          expect(payload.seq as number).toBeGreaterThan(last.get(payload.runId) ?? 0);
          last.set(payload.runId, payload.seq as number);
        }
      }),
    );
  });

  it('leave the cumulative message out of long answers, and send the whole text at the end', () => {
    const long = 'x'.repeat(CUMULATIVE_LIMIT);
    const chat = show([chunk(1, long), chunk(2, 'y'), { runId: 'r', runSeq: 3, event: { type: 'execution_complete' } }]).filter(
      ({ event }) => event === 'chat',
    );
    expect(chat.map(({ payload }) => 'message' in payload)).toEqual([true, false, true]);
    expect(JSON.stringify(chat[2]?.payload)).toContain(`${long}y`);
  });

  it('take the text of an end that has content as the whole answer, even of a run whose beginning was missed', () => {
    const [final] = show([{ runId: 'r', runSeq: 9, event: { type: 'execution_complete', content: 'all of it' } }]).filter(({ event }) => event === 'chat');
    expect(final?.payload).toMatchObject({ state: 'final', message: { content: [{ text: 'all of it' }] } });
  });

  it('say which kind of error it was', () => {
    expect(['RUN_TIMEOUT', 'RATE_LIMITED', 'CONTEXT_TOO_LONG', 'MODEL_REFUSED', 'VM_LOST'].map(errorKind)).toEqual([
      'timeout',
      'rate_limit',
      'context_length',
      'refusal',
      'unknown',
    ]);
  });
});
