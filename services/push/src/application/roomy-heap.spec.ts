import { FakeClock } from '@plexus/kernel';
import { RoomyHeap } from './roomy-heap.js';

it('a heap has room in a rush, until it has been calm for a minute', async () => {
  const clock = new FakeClock(0);
  const set: number[] = [];
  const heap = new RoomyHeap(clock, (percent) => set.push(percent));
  heap.note(100);
  await clock.advance(60_000);
  expect(set).toEqual([]);
  for (let second = 0; second < 5; second += 1) {
    heap.note(60);
    heap.note(60);
    await clock.advance(1_000);
  }
  expect(set).toEqual([150]);
  heap.note(10);
  await clock.advance(59_000);
  expect(set).toEqual([150]);
  await clock.advance(1_000);
  expect(set).toEqual([150, 0]);
  heap.stop();
});
