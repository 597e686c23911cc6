import { errors } from '@plexus/contracts';
import { type Clock, systemClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import type { BatchResult, DecideBatch } from '../src/application/decide-batch.js';
import { Decider } from '../src/application/decider.js';
import type { OwnedPartition, PartitionInputs } from '../src/application/deciding-ports.js';
import type { Ownership } from '../src/application/ownership.js';
import type { LogBody, LogInput } from '../src/domain/engine/types.js';
import { MemoryFeed, MemoryLog } from './support/memory-log.js';

/** Never waits, but lets everybody else run first. */
const HURRIED = { ...systemClock, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };

describe('the lanes of a decider', () => {
  let log: MemoryLog;
  let feed: MemoryFeed;
  let partitions: Map<number, OwnedPartition>;
  let decided: LogInput[];
  let faults: LogInput[];
  let batches: number[];
  let deciders: Decider[];

  beforeEach(() => {
    log = new MemoryLog();
    feed = new MemoryFeed(log);
    partitions = new Map([0, 1, 2, 3].map((part) => [part, { part, fence: 1, cursor: 0 }]));
    feed.open([...partitions.values()]);
    [decided, faults, batches, deciders] = [[], [], [], []];
  });
  afterEach(() => Promise.all(deciders.map((decider) => decider.stop())));

  const ownership = {
    owned: () => [...partitions.values()],
    moved: ({ part, fence }: OwnedPartition, cursor: number) => partitions.set(part, { part, fence, cursor }),
    lose: (parts: readonly number[]) => {
      for (const part of parts) partitions.delete(part);
      feed.close(parts);
    },
  } as unknown as Ownership;

  const start = (execute: (work: readonly PartitionInputs[]) => Promise<BatchResult['result']['kind']>, clock: Clock = HURRIED) => {
    const batch = {
      execute: async (work: readonly PartitionInputs[]) => {
        const kind = await execute(work);
        if (kind === 'committed') {
          batches.push(work.flatMap(({ inputs }) => inputs).length);
          decided.push(...work.flatMap(({ inputs }) => inputs));
        }
        return { result: kind === 'lost' ? { kind, parts: work.map(({ partition }) => partition.part) } : { kind }, items: [], decisions: [] };
      },
    } as unknown as DecideBatch;
    const decider = new Decider({
      ownership,
      feed,
      batch,
      clock,
      onCommitted: () => {},
      onFailure: () => {},
      onFault: (input) => faults.push(input),
    });
    deciders.push(decider);
    decider.start();
    return decider;
  };
  const write = (part: number, count: number) => {
    for (let n = 0; n < count; n += 1) log.write('acme', `user-${part}`, `ack:${part}:${n}`, { kind: 'ack', data: { deliveryId: 'd', by: 'me' } }, [part]);
  };

  it('decide everything that waits, in the order of each partition, at most 256 inputs at a time', async () => {
    for (const part of [0, 1, 2, 3]) write(part, 700);
    start(async () => 'committed');
    await waitFor(() => decided.length === 2_800, { what: 'everything' });
    for (const part of [0, 1, 2, 3]) {
      const ids = decided.filter(({ user }) => user === `user-${part}`).map(({ id }) => id);
      expect(ids).toEqual(Array.from({ length: 700 }, (_, n) => `ack:${part}:${n}`));
    }
    expect(Math.max(...batches)).toBeLessThanOrEqual(256);
  });

  it('pass over the one input whose consequences cannot be written, and nothing else', async () => {
    for (const part of [0, 1, 2, 3]) write(part, 10);
    start(async (work) => {
      if (work.some(({ inputs }) => inputs.some(({ id }) => id === 'ack:2:4'))) throw new Error('no such text');
      return 'committed';
    });
    await waitFor(() => decided.length === 39, { what: 'everything else' });
    expect(faults.map(({ id }) => id)).toEqual(['ack:2:4']);
    expect(decided.filter(({ user }) => user === 'user-2').map(({ id }) => id)).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9].map((n) => `ack:2:${n}`));
  });

  it('pass over nothing while the database is away, however long', async () => {
    write(0, 3);
    let failures = 0;
    start(async () => {
      failures += 1;
      if (failures < 50) throw errors.create('UNAVAILABLE');
      return 'committed';
    });
    await waitFor(() => decided.length === 3, { what: 'the end of the outage' });
    expect(faults).toEqual([]);
  });

  it('leave alone what somebody else has taken over', async () => {
    write(0, 3);
    write(1, 3);
    start(async (work) => (work.some(({ partition }) => partition.part === 0) ? 'lost' : 'committed'));
    await waitFor(() => decided.length === 3, { what: 'the partition that is still ours' });
    expect(decided.every(({ user }) => user === 'user-1')).toBe(true);
    expect(partitions.has(0)).toBe(false);
  });

  it('decide what is urgent while a batch of others is being written, after what lies before it in its partition', async () => {
    write(0, 3);
    write(1, 3);
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const decider = start(async (work) => {
      if (work.some(({ inputs }) => inputs.some(({ id }) => id === 'ack:0:0'))) await held;
      return 'committed';
    });
    await waitFor(() => decided.length === 3, { what: 'the lane that is not held up' });
    for (const [id, severity] of [
      ['early', 'low'],
      ['urgent', 'critical'],
      ['late', 'low'],
    ] as const) {
      const data = { event: { key: id, severity }, hits: [], score: 1 };
      log.write('acme', 'user-2', id, { kind: 'candidate', data } as unknown as LogBody, [2]);
    }
    decider.wake();
    await waitFor(() => decided.length === 5, { what: 'the urgent one' });
    expect(decided.slice(3).map(({ id }) => id)).toEqual(['early', 'urgent']);
    finish();
    await waitFor(() => decided.length === 9, { what: 'the rest' });
    expect(decided.filter(({ user }) => user === 'user-2').map(({ id }) => id)).toEqual(['early', 'urgent', 'late']);
  });

  it('decide what is not urgent in fewer, larger batches while urgent things come', async () => {
    const pauses: number[] = [];
    const clock = { ...HURRIED, monotonic: () => 1_000, sleep: async (ms: number) => void pauses.push(ms) };
    const urgent = { event: { key: 'urgent', severity: 'critical' }, hits: [], score: 1 };
    log.write('acme', 'user-3', 'urgent', { kind: 'candidate', data: urgent } as unknown as LogBody, [3]);
    write(0, 200);
    write(1, 200);
    start(async () => 'committed', clock);
    await waitFor(() => decided.length === 401, { what: 'everything' });
    expect(pauses.length).toBeGreaterThan(0);
    expect(new Set(pauses)).toEqual(new Set([25]));
    expect(Math.max(...batches)).toBeLessThanOrEqual(64);
  });

  it('have a partition in one batch at a time, urgent or not', async () => {
    const running = new Set<number>();
    let together = 0;
    const decider = start(async (work) => {
      for (const { partition } of work) together += running.has(partition.part) ? 1 : 0;
      for (const { partition } of work) running.add(partition.part);
      await new Promise((resolve) => setImmediate(resolve));
      for (const { partition } of work) running.delete(partition.part);
      return 'committed';
    });
    for (let n = 0; n < 200; n += 1) {
      const data = { event: { key: `e${n}`, severity: n % 3 === 0 ? 'critical' : 'low' }, hits: [], score: 1 };
      log.write('acme', `user-${n % 4}`, `c${n}`, { kind: 'candidate', data } as unknown as LogBody, [n % 4]);
      decider.wake();
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await waitFor(() => decided.length === 200, { what: 'everything' });
    expect(together).toBe(0);
    for (const part of [0, 1, 2, 3]) {
      const seqs = decided.filter(({ user }) => user === `user-${part}`).map(({ seq }) => seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    }
  });
});
