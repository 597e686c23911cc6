import { FakeClock } from '@plexus/kernel';
import { FairQueue } from './fair-queue.js';
import { GivingWay } from './giving-way.js';

describe('turns of tenants', () => {
  it('lets a tenant with one task pass the crowd of another one, and runs no more at a time than it may', async () => {
    const queue = new FairQueue(50, 1);
    const order: string[] = [];
    let running = 0;
    const task = (name: string) => async () => {
      running += 1;
      expect(running).toBe(1);
      await null;
      order.push(name);
      running -= 1;
    };
    const crowd = Array.from({ length: 100 }, (_, n) => queue.run('flood', 50, task(`f${n}`)));
    const single = queue.run('quiet', 50, task('q'));
    await Promise.all([...crowd, single]);
    expect(order.indexOf('q')).toBeLessThan(5);
    expect(order).toHaveLength(101);
  });

  it('a task that fails fails for its caller, and the next one runs', async () => {
    const queue = new FairQueue(50, 1);
    const failing = queue.run('a', 1, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    await expect(queue.run('a', 1, async () => 'done')).resolves.toBe('done');
  });

  it('begin together, round by round, while urgent things come, and at once when none came for a while', async () => {
    const clock = new FakeClock(0);
    const way = new GivingWay(clock, 10);
    const queue = new FairQueue(50, 4, { way, clock });
    const begun: string[] = [];
    const run = (name: string) => queue.run('a', 1, async () => void begun.push(name));
    const begin = async (...names: string[]) => {
      const all = names.map(run);
      await clock.advance(0);
      return all;
    };
    await begin('1', '2');
    expect(begun).toEqual(['1', '2']);
    way.urgent();
    await begin('3');
    const waiting = await begin('4', '5', '6', '7', '8');
    expect(begun).toEqual(['1', '2', '3']);
    await clock.advance(9);
    expect(begun).toHaveLength(3);
    await clock.advance(1);
    expect(begun).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    await clock.advance(10);
    await Promise.all(waiting);
    expect(begun.at(-1)).toBe('8');
    await clock.advance(5_000);
    await begin('9');
    await begin('10');
    expect(begun.slice(-2)).toEqual(['9', '10']);
  });
});
