import { FakeClock } from '@plexus/kernel';
import { WakeUp } from './wake-up.js';

describe('waking a loop', () => {
  const never = new AbortController().signal;

  it('a ring while nobody sleeps is kept, once', async () => {
    const clock = new FakeClock();
    const wakeUp = new WakeUp(clock);
    wakeUp.ring();
    wakeUp.ring();
    await wakeUp.wait(1_000, never);
    let awake = false;
    const waiting = wakeUp.wait(1_000, never).then(() => {
      awake = true;
    });
    await clock.advance(999);
    expect(awake).toBe(false);
    await clock.advance(1);
    await waiting;
  });

  it('a ring, or the end of everything, ends a wait, and nothing of it is left behind', async () => {
    const wakeUp = new WakeUp(new FakeClock());
    const rung = wakeUp.wait(1_000, never);
    wakeUp.ring();
    await rung;
    const stopping = new AbortController();
    const stopped = wakeUp.wait(1_000, stopping.signal);
    stopping.abort();
    await stopped;
    await wakeUp.wait(1_000, stopping.signal);
  });
});
