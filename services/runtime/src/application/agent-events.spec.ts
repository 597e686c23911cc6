import { FakeClock } from '@plexus/kernel';
import fc from 'fast-check';
import { type AgentEvent, AgentEventBus, type AgentEventBusOptions } from './agent-events.js';

function make(options: Partial<AgentEventBusOptions> = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  return { clock, lines, bus: new AgentEventBus({ clock, log: (_, message) => void lines.push(message), ...options }) };
}
const seqsOf = (events: readonly AgentEvent[], runId: string) => events.filter((event) => event.runId === runId).map(({ seq }) => seq);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

it('two interleaved runs, listeners that throw, leave and bring others: each run counts from 1, the others hear everything in order, the newest 400 are remembered', () => {
  const { bus } = make();
  const heard: AgentEvent[] = [];
  const late: AgentEvent[] = [];
  const once: AgentEvent[] = [];
  bus.subscribe(() => {
    throw new Error('broken');
  });
  const leave = bus.subscribe((event) => {
    once.push(event);
    leave();
  });
  let added = false;
  bus.subscribe(() => {
    if (!added) bus.subscribe((event) => late.push(event));
    added = true;
  });
  bus.subscribe((event) => heard.push(event));
  for (let i = 0; i < 450; i += 1) bus.emit({ runId: i % 3 === 0 ? 'a' : 'b', stream: 'assistant', data: i });
  expect(seqsOf(heard, 'a')).toEqual(upTo(150));
  expect(seqsOf(heard, 'b')).toEqual(upTo(300));
  expect(heard.map(({ data }) => data)).toEqual(upTo(450).map((n) => n - 1));
  expect(once).toHaveLength(1);
  // Who came during the first event hears from the second on.
  expect(late).toEqual(heard.slice(1));
  expect(bus.recent()).toEqual(heard.slice(50));
  expect(bus.failures).toBe(450);
});

it('failing listeners are counted each time and logged at most once a minute, asynchronous ones too', async () => {
  const { bus, clock, lines } = make();
  bus.subscribe(async () => {
    throw new Error('later');
  });
  bus.subscribe(() => {
    throw new Error('now');
  });
  for (let i = 0; i < 5; i += 1) bus.emit({ runId: 'r', stream: 'tool' });
  await clock.advance(0);
  expect(bus.failures).toBe(10);
  expect(lines).toHaveLength(1);
  await clock.advance(60_000);
  bus.emit({ runId: 'r', stream: 'tool' });
  expect(lines).toHaveLength(2);
});

it('what is known of a run is put together field by field, and an event of its own session key keeps it unless it is blank', () => {
  const { bus } = make();
  bus.register('r', { sessionKey: 'agent:main:main', source: 'cron' });
  bus.register('r', { isHeartbeat: true, sessionKey: undefined } as never);
  expect(bus.emit({ runId: 'r', stream: 'lifecycle' })).toMatchObject({
    sessionKey: 'agent:main:main',
    hidden: false,
    context: { source: 'cron', isHeartbeat: true },
  });
  expect(bus.emit({ runId: 'r', stream: 'lifecycle', sessionKey: 'other' })?.sessionKey).toBe('other');
  expect(bus.emit({ runId: 'r', stream: 'lifecycle', sessionKey: ' ' })?.sessionKey).toBe('agent:main:main');
  bus.register('r', { isUiVisible: false });
  expect(bus.emit({ runId: 'r', stream: 'lifecycle' })).toMatchObject({ hidden: true, context: { source: 'cron' } });
});

it('nothing comes after the end of a run; it is forgotten ten minutes later, and its counter with it', async () => {
  const { bus, clock } = make();
  const heard: AgentEvent[] = [];
  bus.subscribe((event) => heard.push(event));
  bus.emit({ runId: 'r', stream: 'lifecycle', isTerminal: true });
  await clock.advance(599_999);
  expect(bus.emit({ runId: 'r', stream: 'assistant' })).toBeUndefined();
  expect({ heard: heard.length, rejected: bus.rejected, runs: bus.runs }).toEqual({ heard: 1, rejected: 1, runs: 1 });
  await clock.advance(1);
  expect(bus.runs).toBe(0);
  expect(clock.pending).toBe(0);
  // A run of that name from now on is another run.
  expect(bus.emit({ runId: 'r', stream: 'lifecycle' })?.seq).toBe(1);
});

it('an emit from within a listener is heard by all after the event before, does not go on for ever, and a ring of nothing is a ring', () => {
  const { bus } = make({ ringCapacity: 0 });
  const heard: number[] = [];
  bus.subscribe(({ seq }) => {
    if (seq === 1) bus.emit({ runId: 'r', stream: 'x' });
  });
  bus.subscribe(({ seq }) => heard.push(seq));
  bus.emit({ runId: 'r', stream: 'x' });
  expect(heard).toEqual([1, 2]);
  const answering = bus.subscribe(() => bus.emit({ runId: 'r', stream: 'answer' }));
  bus.emit({ runId: 'r', stream: 'x' });
  answering();
  expect(bus.rejected).toBe(1);
  expect(heard).toEqual(upTo(heard.length));
  expect(bus.recent()).toEqual([]);
  expect(() => make({ ringCapacity: -1 })).toThrow('capacity');
});

it('a slow reader loses what does not fit into its queue, sees how much, and holds nobody up', async () => {
  const { bus } = make();
  const slow = bus.queue(10);
  for (let i = 0; i < 25; i += 1) bus.emit({ runId: 'r', stream: 'x' });
  expect(slow.dropped).toBe(15);
  slow.close();
  bus.emit({ runId: 'r', stream: 'x' });
  const read: number[] = [];
  for await (const { seq } of slow) read.push(seq);
  expect(read).toEqual(upTo(10));
});

it('whatever is emitted, by however many runs: numbers have no gap, every listener hears one order, the ring is its end', () => {
  const step = fc.record({ run: fc.constantFrom('a', 'b', 'c'), end: fc.integer({ min: 0, max: 20 }).map((n) => n === 0) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat(50), (steps, ringCapacity) => {
      const { bus } = make({ ringCapacity });
      const [one, two]: AgentEvent[][] = [[], []];
      bus.subscribe((event) => one?.push(event));
      bus.subscribe(() => {
        throw new Error('broken');
      });
      bus.subscribe((event) => two?.push(event));
      const emitted = steps.map(({ run, end }) => bus.emit({ runId: run, stream: 'x', isTerminal: end })).filter((event) => event !== undefined);
      expect(one).toEqual(emitted);
      expect(two).toEqual(emitted);
      for (const run of ['a', 'b', 'c']) {
        const own = emitted.filter(({ runId }) => runId === run);
        expect(own.map(({ seq }) => seq)).toEqual(upTo(own.length));
        expect(own.findIndex(({ isTerminal }) => isTerminal === true)).toEqual(own.some(({ isTerminal }) => isTerminal) ? own.length - 1 : -1);
      }
      expect(bus.recent()).toEqual(ringCapacity === 0 ? [] : emitted.slice(-ringCapacity));
    }),
  );
});
