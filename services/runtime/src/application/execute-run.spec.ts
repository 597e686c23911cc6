import { FakeClock, PlexusError } from '@plexus/kernel';
import { decodeMeshFrame, FrameSender, type StartSessionData } from '@plexus/vm-protocol';
import { JournalState, type UserMessage } from '../domain/journal-state.js';
import { executeRun, firstRunSeq, RunCancelled, type RunDependencies, type RunOrder } from './execute-run.js';
import { Fence } from './fence.js';
import { type AgentSession, AgentFailure, type AgentPiece, type AgentTurn } from './ports.js';
import { Uplink } from './uplink.js';

const session = { session_id: 's', runtime_type: 'semigraph', agent_id: 'main', agent_config: {} } as unknown as StartSessionData;

function orderOf(metadata: Record<string, unknown> = {}, extra: Partial<RunOrder> = {}): RunOrder {
  const decoded = decodeMeshFrame(JSON.stringify({ type: 'user_message', session_id: 's', data: { message: 'x', metadata: { run_id: 'r', ...metadata } } }));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return { runId: 'r', session, message: decoded.value as UserMessage, lastSeq: 0, ...extra };
}

function bench(run: (signal: AbortSignal) => AsyncIterable<AgentPiece>): {
  dependencies: RunDependencies;
  clock: FakeClock;
  fence: Fence;
  events: () => Record<string, unknown>[];
  turns: AgentTurn[];
} {
  const clock = new FakeClock();
  const sender = new FrameSender();
  const uplink = new Uplink(sender, { append: () => undefined, flush: () => undefined }, new JournalState());
  const fence = new Fence(clock);
  const turns: AgentTurn[] = [];
  const agent: AgentSession = {
    run(turn, signal) {
      turns.push(turn);
      return run(signal);
    },
  };
  const events = (): Record<string, unknown>[] =>
    [...sender.pending()].map((frame) => {
      const { run_seq, data } = JSON.parse(frame.text) as { run_seq: number; data: string };
      return { seq: run_seq, ...(JSON.parse(data) as object) };
    });
  return { dependencies: { agent, uplink, fence, clock, log: () => undefined }, clock, fence, events, turns };
}

async function* saying(...texts: string[]): AsyncGenerator<AgentPiece> {
  for (const text of texts) yield { type: 'text', text };
}
async function* hanging(): AsyncGenerator<AgentPiece> {
  yield { type: 'text', text: 'begun' };
  await new Promise(() => undefined);
}
const never = new AbortController().signal;

describe('a run', () => {
  it('ends once with everything that was said', async () => {
    const { dependencies, events } = bench(() => saying('a', 'b'));
    await executeRun(orderOf(), dependencies, never);
    expect(events()).toEqual([
      { seq: 1, type: 'text_chunk', content: 'a' },
      { seq: 2, type: 'text_chunk', content: 'b' },
      { seq: 3, type: 'execution_complete', content: 'ab' },
    ]);
  });

  it('answers further messages one after the other in the same run, and a reset voids only the turn that it is in', async () => {
    const steers = [{ id: 'steer:2', text: 'second' }, { text: 'third' }];
    const { dependencies, events, turns } = bench(async function* () {
      if (turns.length === 2) {
        yield { type: 'text', text: 'half' };
        yield { type: 'reset' };
      }
      yield { type: 'text', text: `answer ${turns.length}` };
      yield { type: 'usage', usage: { input_tokens: 1, output_tokens: 2 } };
    });
    await executeRun(orderOf({}, { nextSteer: () => steers.shift() }), dependencies, never);
    expect(turns.map((turn) => [turn.message, turn.history.map((one) => one.text)])).toEqual([
      ['x', []],
      ['second', ['x', 'answer 1']],
      ['third', ['x', 'answer 1', 'second', 'answer 2']],
    ]);
    const content = 'answer 1\n\nanswer 2\n\nanswer 3';
    expect(events().at(-1)).toEqual({ seq: events().length, type: 'execution_complete', content, usage: { input_tokens: 3, output_tokens: 6 } });
    let shown = '';
    for (const { type, content: piece } of events()) shown = type === 'text_reset' ? '' : type === 'text_chunk' ? shown + String(piece) : shown;
    expect(shown).toBe(content);
  });

  it('leaves the text out of an end that would be too large: the chunks hold it', async () => {
    const { dependencies, events } = bench(() => saying('x'.repeat(200_000)));
    await executeRun(orderOf(), dependencies, never);
    expect(events().at(-1)).toEqual({ seq: events().length, type: 'execution_complete' });
  });

  it.each([
    ['the agent cannot answer', new AgentFailure('MODEL_UNAVAILABLE', 'Nothing answers.'), { code: 'MODEL_UNAVAILABLE', error: 'Nothing answers.' }],
    ['something breaks inside', new Error('secret detail'), { code: 'INTERNAL', error: expect.not.stringContaining('secret') }],
    ['the agent throws a public error of its own', new PlexusError({ code: 'X', message: 'secret' }), { code: 'INTERNAL' }],
  ])('ends with an error when %s', async (_, error, expected) => {
    const { dependencies, events } = bench(async function* () {
      yield { type: 'text', text: 'half' };
      throw error;
    });
    await executeRun(orderOf(), dependencies, never);
    expect(events()).toMatchObject([{ type: 'text_chunk' }, { type: 'execution_error', ...expected }]);
  });

  it('ends as cancelled 15 s after the cancel even if the agent does not react, and not before', async () => {
    const { dependencies, clock, events } = bench(hanging);
    const stop = new AbortController();
    const running = executeRun(orderOf(), dependencies, stop.signal);
    await clock.advance(0);
    stop.abort(new RunCancelled('user'));
    await clock.advance(14_999);
    expect(events()).toHaveLength(1);
    await clock.advance(1);
    await running;
    expect(events().at(-1)).toEqual({ seq: 2, type: 'execution_complete', content: 'begun', cancelled: true });
    expect(clock.pending).toBe(0);
  });

  it('keeps what the agent still says while it stops', async () => {
    const stop = new AbortController();
    const { dependencies, events } = bench(async function* (signal) {
      yield { type: 'tool_start', callId: 'c', toolName: 't', input: {} };
      stop.abort(new RunCancelled('user'));
      yield { type: 'tool_end', callId: 'c', toolName: 't', result: 'kept', isError: false };
      throw signal.reason;
    });
    await executeRun(orderOf(), dependencies, stop.signal);
    expect(events().map(({ type, result, cancelled }) => [type, result ?? cancelled])).toEqual([
      ['tool_call_start', undefined],
      ['tool_call_complete', 'kept'],
      ['execution_complete', true],
    ]);
  });

  it('takes no longer than the session allows, unless the message says how long it may be silent', async () => {
    const limited = { ...session, session_config: { timeout_seconds: 30 } } as StartSessionData;
    const { dependencies, clock, fence, events } = bench(hanging);
    const running = executeRun(orderOf({}, { session: limited }), dependencies, never);
    await clock.advance(30_000);
    await running;
    expect(events().at(-1)).toMatchObject({ type: 'execution_error', code: 'RUN_TIMEOUT', error: expect.stringContaining('30 s') });
    fence.answered(clock.monotonic());
    const silent = executeRun(orderOf({ timeout_ms: 60_000 }, { session: limited }), dependencies, never);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(59_999);
    expect(events()).toHaveLength(3);
    await clock.advance(1);
    await silent;
    expect(clock.pending).toBe(0);
  });

  it('has no end when the process stops: the next incarnation gets it', async () => {
    const { dependencies, events } = bench(hanging);
    const stop = new AbortController();
    const running = executeRun(orderOf(), dependencies, stop.signal);
    setImmediate(() => stop.abort(new Error('the runtime stops')));
    await running;
    expect(events()).toHaveLength(1);
  });

  it('ends in time when the agent falls silent', async () => {
    const { dependencies, clock, events } = bench(hanging);
    const running = executeRun(orderOf({ timeout_ms: 5_000 }), dependencies, never);
    await clock.advance(5_000);
    await running;
    expect(events().at(-1)).toMatchObject({ type: 'execution_error', code: 'RUN_TIMEOUT' });
    expect(clock.pending).toBe(0);
  });

  it('begins no model call while the mesh has been silent for 30 s, and begins it when it answers again', async () => {
    let calls = 0;
    const { dependencies, clock, fence, events } = bench(() => {
      calls++;
      return saying('now');
    });
    await clock.advance(31_000);
    const running = executeRun(orderOf(), dependencies, never);
    await clock.advance(1_000);
    expect(calls).toBe(0);
    fence.answered(clock.monotonic() - 40_000);
    await clock.advance(0);
    expect(calls).toBe(0);
    fence.answered(clock.monotonic());
    await running;
    expect([calls, events().length]).toEqual([1, 2]);
  });

  it('voids what an earlier incarnation said and goes on with its numbers', async () => {
    const { dependencies, events } = bench(() => saying('anew'));
    await executeRun(orderOf({ resume: true, run_seq_from: 7 }), dependencies, never);
    expect(events().map(({ seq, type }) => [seq, type])).toEqual([
      [7, 'text_reset'],
      [8, 'text_chunk'],
      [9, 'execution_complete'],
    ]);
  });

  it('sends the end again that an earlier incarnation had reached', async () => {
    const { dependencies, events } = bench(() => saying('twice'));
    const end = '{"type":"execution_complete","content":"once"}';
    await executeRun(orderOf({ resume: true, run_seq_from: 4 }, { earlier: { sessionId: 's', runId: 'r', lastSeq: 9, end } }), dependencies, never);
    expect(events()).toEqual([
      { seq: 4, type: 'text_reset' },
      { seq: 5, type: 'execution_complete', content: 'once' },
    ]);
  });
});

describe('the first number of a run', () => {
  it.each([
    [{}, {}, 1],
    [{ resume: true }, {}, 1],
    [{ resume: true, run_seq_from: 5 }, { earlier: { sessionId: 's', runId: 'r', lastSeq: 30 } }, 5],
    [{}, { earlier: { sessionId: 's', runId: 'r', lastSeq: 30 } }, 31],
    [{}, { lastSeq: 4 }, 5],
    [{ resume: true, run_seq_from: 5 }, { lastSeq: 9 }, 10],
  ])('of %j after %j is %i', (metadata, extra, expected) => {
    expect(firstRunSeq(orderOf(metadata, extra))).toBe(expected);
  });
});
