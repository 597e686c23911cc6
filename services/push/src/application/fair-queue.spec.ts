import { FairQueue } from './fair-queue.js';

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
});
