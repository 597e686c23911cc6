import { call, loopBench, say, settled, shown, text, tool, turnOf } from '../../../test/support/loop-bench.js';
import { RunCancelled } from '../execute-run.js';
import type { AgentPiece, ToolProcess } from '../ports.js';

const kinds = (pieces: readonly AgentPiece[]): string[] => pieces.map(({ type }) => type);

describe('the loop of an agent', () => {
  it('gives the model what its tools returned until it asks for none', async () => {
    const clockTool = tool('clock', async () => ({ content: 'noon' }));
    const { session, asked } = loopBench([[text('Let me look.'), call('c1', 'clock', { zone: 'UTC' })], [text('It is noon.')]], { tools: [clockTool] });
    const pieces = await say(session);
    expect(kinds(pieces)).toEqual(['text', 'tool_start', 'tool_end', 'text', 'text']);
    expect(pieces[1]).toEqual({ type: 'tool_start', callId: 'c1', toolName: 'clock', input: { zone: 'UTC' } });
    expect(pieces[2]).toEqual({ type: 'tool_end', callId: 'c1', toolName: 'clock', result: 'noon', isError: false });
    expect(shown(pieces)).toBe('Let me look.\n\nIt is noon.');
    expect(asked[0]?.tools?.map(({ name }) => name)).toEqual(['clock']);
    expect(asked[1]?.conversation).toEqual([
      { role: 'user', text: 'hello' },
      { role: 'assistant', text: 'Let me look.', toolCalls: [{ id: 'c1', name: 'clock', arguments: '{"zone":"UTC"}' }] },
      { role: 'tool', text: 'noon', toolCallId: 'c1', toolName: 'clock' },
    ]);
  });

  it('runs the calls of one step at the same time and keeps their order', async () => {
    let first: () => void = () => undefined;
    const slow = tool('slow', () => new Promise((resolve) => (first = () => resolve({ content: 'slow done' }))));
    const quick = tool('quick', async () => {
      first();
      return { content: 'quick done' };
    });
    const { session, asked } = loopBench([[call('a', 'slow'), call('b', 'quick')], [text('ok')]], { tools: [slow, quick] });
    const pieces = await say(session);
    expect(pieces.flatMap((piece) => (piece.type === 'tool_end' ? [piece.result] : []))).toEqual(['slow done', 'quick done']);
    expect(asked[1]?.conversation?.slice(-2).map((one) => one.text)).toEqual(['slow done', 'quick done']);
  });

  it('tells the model about a tool that does not exist, an input that cannot be read, and a tool that fails', async () => {
    const broken = tool('broken', async () => {
      throw new Error('secret detail');
    });
    const unread = { type: 'tool_call', callId: 'b', toolName: 'broken', input: '{', problem: 'not JSON' } as const;
    const { session, asked } = loopBench([[call('a', 'nothing'), unread, call('c', 'broken')], [text('ok')]], { tools: [broken] });
    await say(session);
    const results = asked[1]?.conversation?.slice(-3) ?? [];
    expect(results.map((one) => one.toolFailed)).toEqual([true, true, true]);
    expect(results[0]?.text).toMatch(/no tool “nothing”.*broken/);
    expect(results[1]?.text).toContain('not JSON');
    expect(results[2]?.text).not.toContain('secret');
    expect(broken.begun).toBe(1);
  });

  it('offers and calls only what the rules of the session allow', async () => {
    const read = tool('read');
    const exec = tool('exec');
    const data = { agent_config: { tools: { deny: ['bash'] } } };
    const { session, asked, denied } = loopBench([[call('a', 'exec')], [text('ok')]], { tools: [read, exec], data });
    await say(session);
    await say(session, turnOf({ runId: 'r2' }));
    expect(denied).toEqual([['exec']]);
    expect(asked[0]?.tools?.map(({ name }) => name)).toEqual(['read']);
    expect(exec.begun).toBe(0);
  });

  it('gives calls ids of their own when the model repeats one', async () => {
    const { session } = loopBench([[call('x', 't')], [call('x', 't'), call('', 't')], [text('ok')]], { tools: [tool('t')] });
    const ids = (await say(session)).flatMap((piece) => (piece.type === 'tool_start' ? [piece.callId] : []));
    expect(ids).toEqual(['x', 'x-2', 'call-2']);
  });

  it('voids only the call of the model that begins anew', async () => {
    const { session } = loopBench(
      [
        [text('one'), call('a', 't')],
        [text('ha'), call('b', 't'), { type: 'reset' }, text('two')],
      ],
      { tools: [tool('t')] },
    );
    const pieces = await say(session);
    expect(shown(pieces)).toBe('one\n\ntwo');
    expect(kinds(pieces).filter((kind) => kind === 'tool_start')).toHaveLength(1);
  });

  it('adds up what its model calls used', async () => {
    const usage = { type: 'usage', usage: { input_tokens: 3, output_tokens: 2 } } as const;
    const { session } = loopBench(
      [
        [call('a', 't'), usage],
        [text('ok'), usage],
      ],
      { tools: [tool('t')] },
    );
    expect((await say(session)).at(-1)).toEqual({ type: 'usage', usage: { input_tokens: 6, output_tokens: 4 } });
  });

  it('stops at the limit of the session, with a sentence', async () => {
    const again = tool('t');
    const { session } = loopBench([[call('a', 't')]], { tools: [again], data: { session_config: { max_turns: 3 } } });
    await expect(say(session)).rejects.toMatchObject({ code: 'MAX_TURNS', message: expect.stringContaining('3 steps') });
    expect(again.begun).toBe(3);
  });

  it('remembers its tools in the next run, and follows the history where that says something else', async () => {
    const { session, asked } = loopBench([[call('a', 't')], [text('done')], [text('next')], [text('other')]], { tools: [tool('t')] });
    await say(session);
    await say(
      session,
      turnOf({
        runId: 'r2',
        message: 'and?',
        history: [
          { role: 'user', text: 'hello' },
          { role: 'assistant', text: 'done' },
        ],
      }),
    );
    expect(asked[2]?.conversation?.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant', 'user']);
    await say(
      session,
      turnOf({
        runId: 'r3',
        message: 'x',
        history: [
          { role: 'user', text: 'elsewhere' },
          { role: 'assistant', text: 'said' },
        ],
      }),
    );
    expect(asked[3]?.conversation?.map((one) => one.text)).toEqual(['elsewhere', 'said', 'x']);
  });
});

/** A process group that notes what it is sent and goes at a certain signal. */
function processOf(goesAt?: string): ToolProcess & { sent: string[] } {
  let gone: () => void = () => undefined;
  const sent: string[] = [];
  return {
    sent,
    exited: new Promise<void>((resolve) => (gone = resolve)),
    kill(signal) {
      sent.push(signal);
      if (signal === goesAt) gone();
    },
  };
}

describe('a cancel in the middle of a tool', () => {
  it('aborts at once, sends TERM after 5 s and KILL after 10 s, and keeps what the other tools returned', async () => {
    const child = processOf('SIGKILL');
    let aborted = false;
    const stubborn = tool('stubborn', async (_, context) => {
      context.onProcess(child);
      context.signal.addEventListener('abort', () => (aborted = true));
      await child.exited;
      return { content: 'half', isError: true };
    });
    const { session, clock, checkpoints } = loopBench([[call('a', 'quick'), call('b', 'stubborn')]], { tools: [tool('quick'), stubborn] });
    const stop = new AbortController();
    const pieces: AgentPiece[] = [];
    const running = (async () => {
      for await (const piece of session.run(turnOf(), stop.signal)) pieces.push(piece);
    })();
    const ended = expect(running).rejects.toMatchObject({ name: 'AbortError' });
    await settled();
    stop.abort(new RunCancelled('user'));
    expect([aborted, child.sent]).toEqual([true, []]);
    await clock.advance(4_999);
    expect(child.sent).toEqual([]);
    await clock.advance(1);
    expect(child.sent).toEqual(['SIGTERM']);
    await clock.advance(4_999);
    expect(child.sent).toEqual(['SIGTERM']);
    await clock.advance(1);
    expect(child.sent[1]).toBe('SIGKILL');
    await ended;
    expect(pieces.flatMap((piece) => (piece.type === 'tool_end' ? [[piece.callId, piece.isError]] : []))).toEqual([
      ['a', false],
      ['b', true],
    ]);
    const kept = checkpoints.all.at(-1);
    expect(kept?.run.turns[0]?.done).toBe(true);
    expect(kept?.conversation.map(({ role, text: words }) => [role, words.split('\n')[0]])).toEqual([
      ['user', 'hello'],
      ['assistant', ''],
      ['tool', 'quick done'],
      ['tool', 'half'],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for a tool that reacts to nothing', async () => {
    const { session, clock, checkpoints } = loopBench([[call('a', 'deaf')]], { tools: [tool('deaf', () => new Promise(() => undefined))] });
    const stop = new AbortController();
    const ended = expect(say(session, turnOf(), stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
    await settled();
    stop.abort(new RunCancelled('user'));
    await clock.advance(14_000);
    await ended;
    expect(checkpoints.all.at(-1)?.conversation.at(-1)).toMatchObject({ role: 'tool', toolFailed: true });
  });

  it('keeps what the model had said', async () => {
    const stop = new AbortController();
    const { session, checkpoints } = loopBench([
      async function* (_, signal) {
        yield text('half an ');
        stop.abort(new RunCancelled('user'));
        throw signal.reason;
      },
    ]);
    await expect(say(session, turnOf(), stop.signal)).rejects.toThrow();
    expect(checkpoints.all.at(-1)?.conversation.at(-1)).toEqual({ role: 'assistant', text: 'half an ' });
  });
});

describe('a run that is ended while a tool of it still stops', () => {
  it('holds the next run back until then; what the tool returns late stays with its own call', async () => {
    let stopped: () => void = () => undefined;
    const slow = tool('slow', () => new Promise((resolve) => (stopped = () => resolve({ content: 'late' }))));
    const { session, asked } = loopBench([[call('b', 'quick'), call('a', 'slow')], [text('second')]], { tools: [slow, tool('quick')] });
    const stop = new AbortController();
    const pieces = session.run(turnOf(), stop.signal)[Symbol.asyncIterator]();
    await pieces.next();
    await pieces.next();
    const waiting = pieces.next();
    await settled();
    // As a run does that was silent for too long: it aborts, leaves and does not look back.
    stop.abort(new Error('the run is over'));
    const left = pieces.return?.(undefined);
    const second = say(session, turnOf({ runId: 'r2', message: 'next', history: [] }));
    await settled();
    expect(asked).toHaveLength(1);
    stopped();
    await Promise.all([waiting, left]);
    expect(shown(await second)).toBe('second');
    expect(asked[1]?.conversation?.map(({ role, text: words }) => [role, words])).toEqual([
      ['user', 'hello'],
      ['assistant', ''],
      ['tool', 'quick done'],
      ['tool', 'late'],
      ['user', 'next'],
    ]);
  });
});

describe('a mesh that is out of reach', () => {
  it('stops running tools: TERM at 45 s, KILL at 50 s; no other call begins before it answers again', async () => {
    const child = processOf('SIGKILL');
    const running = tool('running', async (_, context) => {
      context.onProcess(child);
      await child.exited;
      return { content: 'cut short', isError: true };
    });
    const next = tool('next');
    const { session, clock, fence, checkpoints, asked } = loopBench([[call('a', 'running')], [call('b', 'next')], [text('back')]], { tools: [running, next] });
    const said = say(session);
    await settled();
    await clock.advance(44_999);
    expect(child.sent).toEqual([]);
    await clock.advance(1_000);
    expect(child.sent).toEqual(['SIGTERM']);
    await clock.advance(5_000);
    expect(child.sent).toContain('SIGKILL');
    await settled();
    expect(checkpoints.all.at(-1)?.conversation.at(-2)).toMatchObject({ role: 'tool', toolFailed: true, text: expect.stringContaining('cut short') });
    expect([asked.length, next.begun]).toEqual([2, 0]);
    fence.answered(clock.monotonic());
    expect(shown(await said)).toBe('back');
    expect(next.begun).toBe(1);
  });
});
