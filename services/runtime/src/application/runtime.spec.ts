import { FakeClock } from '@plexus/kernel';
import { decodeMeshFrame, FrameSender } from '@plexus/vm-protocol';
import { type CommandFrame, type JournalEntry, JournalState } from '../domain/journal-state.js';
import { Fence } from './fence.js';
import type { AgentSession } from './ports.js';
import { Runtime } from './runtime.js';
import { Uplink } from './uplink.js';

interface Said {
  session: string;
  run: string;
  seq: number;
  type: string;
  content?: string;
  code?: string;
}

const echo: AgentSession = {
  async *run({ message }) {
    yield { type: 'text', text: message };
  },
};

/** A runtime over the state of a journal; `take` commits and carries out commands, `said` is what goes to the mesh. */
function runtimeOf(
  agent: AgentSession = echo,
  ...journal: JournalEntry[]
): {
  runtime: Runtime;
  take: (...frames: object[]) => void;
  said: () => Said[];
  noticed: () => unknown[];
} {
  const state = new JournalState();
  for (const entry of journal) state.apply(entry);
  const sender = new FrameSender();
  const uplink = new Uplink(sender, { append: () => undefined, flush: () => undefined }, state);
  const clock = new FakeClock();
  const runtime = new Runtime(state, { adapters: { semigraph: { start: () => agent } }, uplink, fence: new Fence(clock), clock, log: () => undefined });
  const take = (...frames: object[]): void => {
    for (const frame of frames) {
      const decoded = decodeMeshFrame(JSON.stringify(frame));
      if (!decoded.ok) throw new Error(decoded.error.reason);
      const command = decoded.value as CommandFrame;
      state.apply({ k: 'down', fseq: state.received + 1, frame: command });
      runtime.dispatch(command);
    }
  };
  const frames = (): Record<string, unknown>[] => [...sender.pending()].map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  const said = (): Said[] =>
    frames().flatMap((frame) => {
      if (frame.type !== 'sse_event') return [];
      const { session_id: session, run_id: run, run_seq: seq, data } = frame as Record<string, string> & { run_seq: number };
      return [{ session, run, seq, ...(JSON.parse(data as string) as { type: string }) } as Said];
    });
  const noticed = (): unknown[] => frames().flatMap(({ type, run_id, code, state }) => (type === 'sse_event' ? [] : [[type, run_id, code ?? state]]));
  return { runtime, take, said, noticed };
}

const session = (id: string): object => ({ type: 'start_session', data: { session_id: id, runtime_type: 'semigraph', agent_id: 'main', agent_config: {} } });
const message = (sessionId: string, runId: string, text: string): object => ({
  type: 'user_message',
  session_id: sessionId,
  data: { message: text, metadata: { run_id: runId } },
});
const ends = (said: Said[]): unknown[] => said.filter((one) => one.type.startsWith('execution_')).map((one) => [one.session, one.run, one.content ?? one.code]);
/** Resolves when that many runs have their end; nothing here waits for a clock or a socket. */
async function ended(count: number, said: () => Said[]): Promise<unknown[]> {
  for (let turn = 0; turn < 1_000 && ends(said()).length < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  return ends(said());
}

describe('sessions of one runtime', () => {
  it('each have run ids of their own: the same id in two sessions is two runs', async () => {
    const { take, said } = runtimeOf();
    take(session('alice'), session('bob'), message('alice', '1', 'from alice'), message('bob', '1', 'from bob'));
    expect(await ended(2, said)).toEqual([
      ['alice', '1', 'from alice'],
      ['bob', '1', 'from bob'],
    ]);
  });

  it('take from an earlier incarnation only what is theirs', async () => {
    const end = JSON.stringify({ type: 'execution_complete', content: 'said before' });
    const { take, said } = runtimeOf(echo, { k: 'earlier', run: { sessionId: 'alice', runId: '1', lastSeq: 4, end } });
    take(session('alice'), session('bob'), message('bob', '1', 'from bob'), message('alice', '1', 'from alice'));
    expect(await ended(2, said)).toEqual(
      expect.arrayContaining([
        ['alice', '1', 'said before'],
        ['bob', '1', 'from bob'],
      ]),
    );
    expect(said().find((one) => one.session === 'bob')?.seq).toBe(1);
    expect(said().find((one) => one.session === 'alice')?.seq).toBe(5);
  });

  it('make room for each other: an idle one is let go, and is back when a message comes for it', async () => {
    const { runtime, take, said } = runtimeOf();
    for (let i = 0; i <= 1_000; i++) take(session(`s${i}`));
    const live = runtime.reports().map((report) => report.session_id);
    expect([live.length, live.includes('s0'), live.includes('s1000')]).toEqual([1_000, false, true]);
    take(message('s1000', 'r', 'the newest'), message('s0', 'r', 'the one let go'));
    expect(await ended(2, said)).toEqual([
      ['s1000', 'r', 'the newest'],
      ['s0', 'r', 'the one let go'],
    ]);
  });

  it('tell the mesh how messages and cancels were taken', async () => {
    const { take, said, noticed } = runtimeOf({
      async *run(_, signal) {
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield { type: 'text', text: 'stopped' };
      },
    });
    const cancel = (runId: string): object => ({ type: 'cancel', session_id: 'a', data: { reason: 'x', run_id: runId } });
    take(message('a', 'early', 'before its session'), session('a'), ...Array.from({ length: 21 }, (_, n) => message('a', `r${n}`, 'x')));
    take(cancel('early'), cancel('r3'), cancel('unknown'));
    await ended(2, said);
    take(cancel('early'));
    expect(noticed()).toEqual([
      ['run_accepted', 'early', undefined],
      ...Array.from({ length: 20 }, (_, n) => ['run_accepted', `r${n}`, undefined]),
      ['run_rejected', 'r20', 'QUEUE_FULL'],
      ['cancel_ack', 'early', 'cancelling'],
      ['cancel_ack', 'r3', 'cancelling'],
      ['cancel_ack', 'unknown', 'not_running'],
      ['cancel_ack', 'early', 'not_running'],
    ]);
  });

  it('end a message that is cancelled while it waits at once, whatever the run before it does', async () => {
    let release = (): void => undefined;
    const { take, said, runtime } = runtimeOf({
      async *run({ message: text }) {
        if (text === 'long') await new Promise<void>((resolve) => (release = resolve));
        yield { type: 'text', text };
      },
    });
    take(session('a'), message('a', 'r1', 'long'), message('a', 'r2', 'second'), message('a', 'r3', 'third'));
    take({ type: 'cancel', session_id: 'a', data: { reason: 'x', run_id: 'r2' } });
    expect(await ended(1, said)).toEqual([['a', 'r2', '']]);
    expect(said()).toMatchObject([{ run: 'r2', type: 'execution_complete', cancelled: true }]);
    expect(runtime.activeSessions()).toEqual(['a']);
    release();
    expect(await ended(3, said)).toEqual([
      ['a', 'r2', ''],
      ['a', 'r1', 'long'],
      ['a', 'r3', 'third'],
    ]);
  });

  it('that are stopped and started again begin only when the ones before have let everything go', async () => {
    const order: string[] = [];
    let release = (): void => undefined;
    const { take, said } = runtimeOf({
      async *run({ message: text }, signal) {
        order.push(`${text} begins`);
        if (text === 'first' && !signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield { type: 'text', text };
        order.push(`${text} ends`);
      },
      async close() {
        order.push('closing');
        await new Promise<void>((resolve) => (release = resolve));
        order.push('closed');
      },
    });
    take(session('a'), message('a', 'r1', 'first'), { type: 'stop_session', data: { session_id: 'a', reason: 'user_closed' } });
    take(session('a'), message('a', 'r2', 'second'));
    await ended(1, said);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['first begins', 'first ends', 'closing']);
    release();
    expect(await ended(2, said)).toEqual([
      ['a', 'r1', 'first'],
      ['a', 'r2', 'second'],
    ]);
    expect(order).toEqual(['first begins', 'first ends', 'closing', 'closed', 'second begins', 'second ends']);
  });

  it('that have something to do are never let go: one too many is told so instead of waiting for ever', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { runtime, take, said } = runtimeOf({
      async *run({ message: text }) {
        await held;
        yield { type: 'text', text };
      },
    });
    for (let i = 0; i < 1_000; i++) take(session(`s${i}`), message(`s${i}`, 'r', 'busy'));
    take(message('late', 'before', 'x'), session('late'), message('late', 'after', 'x'));
    expect(await ended(2, said)).toEqual([
      ['late', 'before', 'QUEUE_FULL'],
      ['late', 'after', 'QUEUE_FULL'],
    ]);
    expect(runtime.activeSessions()).toHaveLength(1_000);
    release();
    await ended(1_002, said);
    take(message('late', 'again', 'now'));
    expect((await ended(1_003, said)).at(-1)).toEqual(['late', 'again', 'now']);
  });
});
