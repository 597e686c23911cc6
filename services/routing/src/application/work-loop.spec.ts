import { FakeClock } from '@plexus/kernel';
import { WorkLoop } from './work-loop.js';

test('a loop that has ended keeps no timer, whoever still asks for one', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const loop = new WorkLoop(
    async () => false,
    clock,
    () => undefined,
  );
  const running = loop.run(1_000, stop.signal);
  stop.abort();
  await running;
  let asleep = 0;
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (...args) => {
    asleep += 1;
    return sleep(...args);
  };
  loop.hurryAt(clock.now() + 5_000);
  expect(asleep).toBe(0);
});
