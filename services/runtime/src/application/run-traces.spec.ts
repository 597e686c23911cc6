import { FakeClock } from '@plexus/kernel';
import { SpansFrame } from '@plexus/vm-protocol';
import { AgentFailure, type Agent } from './ports.js';
import { RunTraces } from './run-traces.js';
import { TracedAgent } from './traced-agent.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const RUN = { sessionId: 's', runId: 'r' };

function traces(perSecond: number | undefined = 50): { readonly clock: FakeClock; readonly traces: RunTraces } {
  const clock = new FakeClock();
  const made = new RunTraces(clock);
  made.accept({ limits: perSecond === undefined ? {} : { spans_per_second: perSecond } });
  return { clock, traces: made };
}

describe('spans of a run', () => {
  it('lead from the trace of the message to model, tool and MCP call, with the times they took', async () => {
    const { traces: own, clock } = traces();
    const run = own.begin(RUN, 'main', TRACEPARENT);
    const tool = own.within(RUN, 'tool', { tool: 'files__read', call_id: 'c1' });
    const mcp = tool?.child('mcp', { tool: 'read', server: 'files' });
    await clock.advance(40);
    mcp?.end();
    tool?.end('TOOL_FAILED');
    run?.end();
    const frame = SpansFrame.parse(own.take());
    const [inner, outer, root] = frame.spans;
    expect(frame.spans.map(({ op, trace_id }) => [op, trace_id])).toEqual([
      ['mcp', TRACE],
      ['tool', TRACE],
      ['run', TRACE],
    ]);
    expect([root?.parent_span_id, outer?.parent_span_id, inner?.parent_span_id]).toEqual([PARENT, root?.span_id, outer?.span_id]);
    expect([inner?.duration_ms, outer?.error, root?.error]).toEqual([40, 'TOOL_FAILED', undefined]);
    expect(own.take()).toBeUndefined();
  });

  it('are not made for a trace that nobody records, for a mesh that takes none, nor after the run', () => {
    expect(traces().traces.begin(RUN, 'main', TRACEPARENT.replace(/01$/, '00'))).toBeUndefined();
    expect(traces().traces.begin(RUN, 'main', undefined)).toBeUndefined();
    const none = new RunTraces(new FakeClock());
    none.accept({});
    expect(none.begin(RUN, 'main', TRACEPARENT)).toBeUndefined();
    const { traces: own } = traces();
    own.begin(RUN, 'main', TRACEPARENT)?.end();
    expect(own.within(RUN, 'chat', {})).toBeUndefined();
  });

  it('are bounded: what there is no room for is counted, and the mesh is told', () => {
    const { traces: own } = traces();
    const run = own.begin(RUN, 'main', TRACEPARENT);
    for (let n = 0; n < 300; n += 1) run?.child('tool', { tool: 'x'.repeat(500), model: '' }).end('not a code!');
    const frames = [...Array(5)].map(() => own.take());
    expect(frames.map((frame) => frame?.spans.length)).toEqual([64, 64, 64, 64, undefined]);
    expect(frames.map((frame) => frame?.dropped ?? 0).reduce((sum, n) => sum + n)).toBe(44);
    expect(SpansFrame.safeParse(frames[0]).success).toBe(true);
    expect(frames[0]?.spans[0]).toMatchObject({ tool: 'x'.repeat(128), error: 'ERROR' });
  });

  it('of a model call say which model, what it used and why it failed, and nothing that was said', async () => {
    const { traces: own } = traces();
    own.begin(RUN, 'main', TRACEPARENT);
    const says: Agent = {
      async *run() {
        yield { type: 'text', text: 'secret words' };
        yield { type: 'usage', usage: { input_tokens: 7, output_tokens: 2 } };
      },
    };
    const fails: Agent = {
      // biome-ignore lint/correctness/useYield: it fails before it has said anything
      async *run() {
        throw new AgentFailure('MODEL_UNAVAILABLE', 'secret reason');
      },
    };
    const turn = { ...RUN, message: 'secret question', history: [] };
    for await (const _ of new TracedAgent(says, own, 'm').run(turn, new AbortController().signal));
    const asking = new TracedAgent(fails, own, undefined).run({ ...turn, model: 'other' }, new AbortController().signal).next();
    await expect(asking).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    const frame = own.take();
    expect(frame?.spans).toMatchObject([
      { op: 'chat', model: 'm', input_tokens: 7, output_tokens: 2 },
      { op: 'chat', model: 'other', error: 'MODEL_UNAVAILABLE' },
    ]);
    expect(JSON.stringify(frame)).not.toContain('secret');
  });
});
