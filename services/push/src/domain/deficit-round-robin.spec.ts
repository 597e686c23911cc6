import { DeficitRoundRobin } from './deficit-round-robin.js';

describe('deficit round robin', () => {
  const drain = (queue: DeficitRoundRobin<string>, most: number) => {
    const taken: string[] = [];
    for (let n = 0; n < most; n += 1) {
      const item = queue.next();
      if (item === undefined) break;
      taken.push(item);
    }
    return taken;
  };

  it('a tenant with one item waits for at most one quantum of another one with ten thousand', () => {
    const queue = new DeficitRoundRobin<string>(50);
    for (let n = 0; n < 10_000; n += 1) queue.push('flood', `f${n}`, 10);
    queue.push('quiet', 'q', 10);
    const taken = drain(queue, 10);
    expect(taken).toContain('q');
    expect(queue.size).toBe(10_001 - taken.length);
  });

  it('shares by cost, not by number of items', () => {
    const queue = new DeficitRoundRobin<string>(50);
    for (let n = 0; n < 200; n += 1) {
      queue.push('large', 'L', 50);
      queue.push('small', 's', 1);
    }
    const first = drain(queue, 104);
    expect(first.filter((item) => item === 'L').length).toBeLessThanOrEqual(4);
    expect(first.filter((item) => item === 's').length).toBeGreaterThanOrEqual(100);
  });

  it('an item that costs more than a quantum has its turn too, and order within a queue is kept', () => {
    const queue = new DeficitRoundRobin<string>(50);
    queue.push('a', 'a1', 500);
    queue.push('a', 'a2', 1);
    queue.push('b', 'b1', 1);
    expect(drain(queue, 9)).toEqual(['b1', 'a1', 'a2']);
    expect(queue.size).toBe(0);
    expect(queue.next()).toBeUndefined();
  });

  it('passes over queues that may not run now', () => {
    const queue = new DeficitRoundRobin<string>(50);
    queue.push('a', 'a1', 1);
    queue.push('b', 'b1', 1);
    expect(queue.next((name) => name !== 'a')).toBe('b1');
    expect(queue.next((name) => name !== 'a')).toBeUndefined();
    expect(queue.sizeOf('a')).toBe(1);
    expect(queue.next()).toBe('a1');
  });
});
