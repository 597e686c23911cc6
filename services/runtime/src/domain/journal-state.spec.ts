import { decodeMeshFrame } from '@plexus/vm-protocol';
import { type CommandFrame, type JournalEntry, JournalState, runKey } from './journal-state.js';

function command(frame: Record<string, unknown>): CommandFrame {
  const decoded = decodeMeshFrame(JSON.stringify(frame));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return decoded.value as CommandFrame;
}

const session = (id: string): CommandFrame => command({ type: 'start_session', data: { session_id: id, agent_id: 'main', agent_config: { model: 'a' } } });
const message = (sessionId: string, runId: string): CommandFrame =>
  command({ type: 'user_message', session_id: sessionId, data: { message: 'x', metadata: { run_id: runId } } });
const cancel = (sessionId: string, runId?: string): CommandFrame => command({ type: 'cancel', session_id: sessionId, run_id: runId, data: { reason: 'user' } });
const event = (fseq: number, runId: string, runSeq: number, end?: object, sessionId = 's'): JournalEntry => ({
  k: 'up',
  fseq,
  text: '{}',
  sessionId,
  runId,
  runSeq,
  ...(end && { end: JSON.stringify(end) }),
});

function folded(...entries: (JournalEntry | CommandFrame)[]): JournalState {
  const state = new JournalState();
  let fseq = 0;
  for (const entry of entries) state.apply('k' in entry ? (entry as JournalEntry) : { k: 'down', fseq: ++fseq, frame: entry as CommandFrame });
  return state;
}

const open = (state: JournalState): string[] => [...state.openRuns()].map((run) => run.runId);
const done = { type: 'execution_complete', content: 'all of it' };

describe('journal state', () => {
  it('knows which runs have no end and how far they had come', () => {
    const state = folded(session('s'), message('s', 'r1'), message('s', 'r2'), event(1, 'r1', 1), event(2, 'r1', 2), event(3, 'r1', 3, done));
    expect(open(state)).toEqual(['r2']);
    expect([state.received, state.runs.get(runKey('s', 'r1'))]).toMatchObject([3, { lastSeq: 3, ended: true, message: undefined }]);
  });

  it('takes a repeated message for the run that it knows', () => {
    const first = message('s', 'r1');
    const state = folded(first, message('s', 'r1'));
    expect(state.runs.get(runKey('s', 'r1'))?.message).toBe(first);
  });

  it('keeps runs of the same id apart when they are of different sessions', () => {
    const state = folded(message('s', '1'), message('t', '1'), event(1, '1', 3, done, 't'), event(2, '1', 2));
    const legacy = [...state.legacy()].map((entry) => entry.k === 'earlier' && entry.run);
    expect([...state.openRuns()]).toMatchObject([{ sessionId: 's', runId: '1', lastSeq: 2 }]);
    expect(legacy).toEqual([
      { sessionId: 's', runId: '1', lastSeq: 2 },
      { sessionId: 't', runId: '1', lastSeq: 3, end: JSON.stringify(done) },
    ]);
    const next = folded(...([...state.legacy()] as JournalEntry[]));
    expect([...next.earlier.keys()]).toEqual([runKey('s', '1'), runKey('t', '1')]);
  });

  it('keeps further messages of a run until it has ended, each once, and a bounded number', () => {
    const steer = (runId: string, id?: string): CommandFrame =>
      command({ type: 'user_message', session_id: 's', data: { message: `steer ${id}`, metadata: { run_id: runId, steer: true, message_id: id } } });
    const state = folded(message('s', 'r1'), steer('r1', 'a'), steer('r1', 'b'), steer('r1', 'a'), steer('unknown', 'c'));
    expect(state.runs.get(runKey('s', 'r1'))?.steers).toEqual([
      { id: 'a', text: 'steer a' },
      { id: 'b', text: 'steer b' },
    ]);
    expect([...state.runs.keys()]).toEqual([runKey('s', 'r1')]);
    for (let i = 0; i < 50; i++) state.apply({ k: 'down', fseq: 10 + i, frame: steer('r1', `n${i}`) });
    expect(state.runs.get(runKey('s', 'r1'))?.steers).toHaveLength(20);
    state.apply(event(1, 'r1', 1, done));
    state.apply({ k: 'down', fseq: 90, frame: steer('r1', 'late') });
    expect(state.runs.get(runKey('s', 'r1'))?.steers).toBeUndefined();
  });

  it('lets a cancel mean the named run, or the one that is going on', () => {
    const marked = (state: JournalState): string[] => [...state.openRuns()].filter((run) => run.cancelled).map((run) => run.runId);
    const runs = [message('s', 'r1'), message('s', 'r2'), message('t', 'r3')];
    expect(marked(folded(...runs, cancel('s', 'r2')))).toEqual(['r2']);
    expect(marked(folded(...runs, cancel('s')))).toEqual(['r1']);
    expect(marked(folded(...runs, event(1, 'r1', 1, done), cancel('s')))).toEqual(['r2']);
    expect(marked(folded(...runs, cancel('s', 'r3'), cancel('s', 'unknown')))).toEqual([]);
    expect(marked(folded(...runs, command({ type: 'stop_session', data: { session_id: 's', reason: 'timeout' } })))).toEqual(['r1', 'r2']);
  });

  it('changes the settings of one session, or of all', () => {
    const update = (sessionId?: string): CommandFrame => command({ type: 'config_update', data: { session_id: sessionId, agent_config: { temperature: 1 } } });
    const settings = (state: JournalState): unknown[] => [...state.sessions.values()].map((one) => one.agent_config);
    expect(settings(folded(session('s'), session('t'), update('t')))).toEqual([{ model: 'a' }, { model: 'a', temperature: 1 }]);
    expect(settings(folded(session('s'), session('t'), update()))).toEqual([
      { model: 'a', temperature: 1 },
      { model: 'a', temperature: 1 },
    ]);
  });

  it('keeps an end until the mesh has it', () => {
    const state = folded(message('s', 'r1'), event(1, 'r1', 1), event(2, 'r1', 2, done));
    state.apply({ k: 'ack', fack: 1 });
    expect(state.runs.get(runKey('s', 'r1'))?.end?.fseq).toBe(2);
    state.apply({ k: 'ack', fack: 2 });
    expect(state.runs.get(runKey('s', 'r1'))?.end).toBeUndefined();
    state.apply({ k: 'ack', fack: 1 });
    expect(state.acked).toBe(2);
  });

  it('folds its own entries to the same state', () => {
    const state = folded(
      { k: 'init' },
      session('s'),
      message('s', 'r1'),
      message('s', 'r2'),
      { k: 'earlier', run: { sessionId: 's', runId: 'r0', lastSeq: 4 } },
      event(1, 'r1', 1),
      event(2, 'r1', 2, done),
      { k: 'ack', fack: 1 },
      cancel('s', 'r2'),
    );
    const again = folded(...(JSON.parse(JSON.stringify([...state.entries()])) as JournalEntry[]));
    expect(JSON.parse(JSON.stringify([...again.entries()]))).toEqual(JSON.parse(JSON.stringify([...state.entries()])));
    expect([again.initialised, again.received, again.acked, open(again), again.runs.get(runKey('s', 'r2'))?.cancelled]).toEqual([true, 4, 1, ['r2'], true]);
  });

  it('hands the next incarnation what is unfinished, and ends that never arrived', () => {
    const state = folded(
      { k: 'earlier', run: { sessionId: 's', runId: 'older', lastSeq: 9 } },
      { k: 'earlier', run: { sessionId: 's', runId: 'settled', lastSeq: 9 } },
      message('s', 'open'),
      message('s', 'arrived'),
      message('s', 'lost'),
      message('s', 'huge'),
      message('s', 'settled'),
      event(1, 'arrived', 1, done),
      event(2, 'settled', 10, done),
      event(3, 'open', 5),
      event(4, 'lost', 7, done),
      event(5, 'huge', 8, { type: 'execution_complete' }),
      { k: 'ack', fack: 2 },
    );
    expect([...state.legacy()].map((entry) => entry.k === 'earlier' && entry.run)).toEqual([
      { sessionId: 's', runId: 'older', lastSeq: 9 },
      { sessionId: 's', runId: 'open', lastSeq: 5 },
      { sessionId: 's', runId: 'lost', lastSeq: 7, end: JSON.stringify(done) },
      { sessionId: 's', runId: 'huge', lastSeq: 8 },
    ]);
  });

  it('remembers a bounded number of ended runs, and every open one', () => {
    const state = folded(message('s', 'open'));
    for (let i = 1; i <= 10_050; i++) {
      state.apply({ k: 'down', fseq: i + 1, frame: message('s', `r${i}`) });
      state.apply(event(i, `r${i}`, 1, done));
      state.apply({ k: 'ack', fack: i });
    }
    expect([state.runs.size, state.runs.has(runKey('s', 'open')), state.runs.has(runKey('s', 'r1')), state.runs.has(runKey('s', 'r10050'))]).toEqual([
      10_001,
      true,
      false,
      true,
    ]);
  });

  it('remembers a bounded number of sessions: those that were started or written to last', () => {
    const state = folded(session('main'), session('first'));
    for (let i = 3; i <= 10_000; i++) state.apply({ k: 'down', fseq: i, frame: session(`s${i}`) });
    state.apply({ k: 'down', fseq: 10_001, frame: message('main', 'r1') });
    state.apply({ k: 'down', fseq: 10_002, frame: session('last') });
    const again = folded(...([...state.entries()] as JournalEntry[]));
    for (const one of [state, again]) expect([one.sessions.size, one.sessions.has('main'), one.sessions.has('first')]).toEqual([10_000, true, false]);
    expect([...again.sessions.keys()].slice(-2)).toEqual(['main', 'last']);
  });
});
