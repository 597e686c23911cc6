import fc from 'fast-check';
import { BoundedQueue } from './bounded-queue.js';

describe('bounded queue', () => {
  it('behaves like a list with a bound, for any sequence of calls', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.oneof(fc.integer(), fc.constant('shift' as const)), { maxLength: 200, size: 'max' }),
        (capacity, steps) => {
          const queue = new BoundedQueue<number>(capacity);
          const model: number[] = [];
          let dropped = 0;
          for (const step of steps) {
            if (step === 'shift') {
              expect(queue.shift()).toBe(model.shift());
            } else {
              const fits = model.length < capacity;
              if (fits) model.push(step);
              else dropped++;
              expect(queue.push(step)).toBe(fits);
            }
            expect([queue.size, queue.dropped]).toEqual([model.length, dropped]);
          }
        },
      ),
    );
  });

  it('hands items to waiting readers in the order they asked', async () => {
    const queue = new BoundedQueue<string>(1);
    const first = queue.next();
    const second = queue.next();
    expect([queue.push('a'), queue.push('b'), queue.push('c'), queue.push('d')]).toEqual([true, true, true, false]);
    expect(await Promise.all([first, second, queue.next()])).toEqual(['a', 'b', 'c']);
  });

  it('loses no item when a waiting reader gives up', async () => {
    const queue = new BoundedQueue<string>(2);
    const controller = new AbortController();
    const gone = queue.next(controller.signal);
    controller.abort();
    await expect(gone).rejects.toMatchObject({ name: 'AbortError' });
    queue.push('kept');
    await expect(queue.next(controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(await queue.next()).toBe('kept');
  });

  it('can be read empty after it was closed, and then ends', async () => {
    const queue = new BoundedQueue<number>(4);
    queue.push(1);
    queue.push(2);
    queue.close();
    expect([queue.push(3), queue.dropped, queue.isClosed]).toEqual([false, 1, true]);
    const read: number[] = [];
    for await (const item of queue) read.push(item);
    expect(read).toEqual([1, 2]);
    await expect(queue.next()).rejects.toThrow('closed');
  });

  it('ends readers that wait while it is closed', async () => {
    const queue = new BoundedQueue<number>(4);
    const waiting = queue.next();
    queue.close();
    await expect(waiting).rejects.toThrow('closed');
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses the capacity %p', (capacity) => {
    expect(() => new BoundedQueue(capacity)).toThrow(String(capacity));
  });
});
