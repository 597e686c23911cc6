import { FakeClock } from '@plexus/kernel';
import { ShutdownSequence, type ShutdownSequenceOptions } from './shutdown-sequence.js';

const setUp = (options: Partial<ShutdownSequenceOptions> = {}) => {
  const clock = new FakeClock();
  const events: string[] = [];
  const note = (event: string) => events.push(`${clock.monotonic()} ${event}`);
  const quiet = () => undefined;
  const log = { info: quiet, warn: quiet, error: quiet } as unknown as ShutdownSequenceOptions['log'];
  const sequence = new ShutdownSequence({ clock, log, timeoutMs: 10_000, propagationDelayMs: 0, notReady: () => note('not ready'), ...options });
  return { clock, events, note, sequence };
};

describe('ShutdownSequence', () => {
  it('goes not ready → propagation delay → listeners → sockets → consumers → bus → database → telemetry', async () => {
    const { clock, events, note, sequence } = setUp({ propagationDelayMs: 2_000 });
    for (const phase of ['telemetry', 'database', 'bus', 'consumers', 'sockets', 'listeners'] as const) {
      sequence.add(phase, 'x', async () => {
        note(`${phase} begins`);
        await clock.sleep(100);
        note(`${phase} ends`);
      });
    }
    const report = sequence.run('SIGTERM');
    await clock.advance(3_000);
    expect(events).toEqual([
      '0 not ready',
      ...['listeners', 'sockets', 'consumers', 'bus', 'database', 'telemetry'].flatMap((phase, index) => [
        `${2_000 + index * 100} ${phase} begins`,
        `${2_100 + index * 100} ${phase} ends`,
      ]),
    ]);
    await expect(report).resolves.toEqual({ clean: true, unfinished: [], failed: [], durationMs: 2_600 });
    expect(clock.pending).toBe(0);
  });

  it('runs the hooks of one phase at the same time', async () => {
    const { clock, sequence } = setUp();
    for (const label of ['a', 'b', 'c']) sequence.add('sockets', label, () => clock.sleep(1_000));
    const report = sequence.run('SIGTERM');
    await clock.advance(1_000);
    await expect(report).resolves.toMatchObject({ clean: true, durationMs: 1_000 });
  });

  it('leaves a drain that hangs behind when its share of the limit is over, tells it so, and still closes the bus, the database and the traces', async () => {
    const { clock, events, note, sequence } = setUp();
    let told = false;
    sequence.add('consumers', 'stuck', ({ signal }) => {
      signal.addEventListener('abort', () => {
        told = true;
      });
      return new Promise(() => undefined);
    });
    for (const phase of ['bus', 'database', 'telemetry'] as const) sequence.add(phase, 'x', () => void note(phase));
    const report = sequence.run('SIGTERM');
    await clock.advance(10_000);
    expect(events).toEqual(['0 not ready', '9000 bus', '9000 database', '9000 telemetry']);
    expect(told).toBe(true);
    await expect(report).resolves.toMatchObject({ clean: false, unfinished: ['consumers/stuck'] });
  });

  it('leaves every later phase a slice that an earlier one cannot use up', async () => {
    const { clock, sequence } = setUp();
    const seen: number[] = [];
    sequence.add('listeners', 'stuck', () => new Promise(() => undefined));
    sequence.add('sockets', 'stuck', () => new Promise(() => undefined));
    for (const phase of ['consumers', 'bus', 'database', 'telemetry'] as const) {
      sequence.add(phase, 'stuck', ({ remainingMs }) => {
        seen.push(Math.round(remainingMs()));
        return new Promise(() => undefined);
      });
    }
    const report = sequence.run('SIGTERM');
    await clock.advance(10_000);
    await report;
    expect(seen).toEqual([1_000, 500, 300, 200]);
  });

  it('ends within the hard limit even when every part hangs', async () => {
    const { clock, sequence } = setUp({ propagationDelayMs: 60_000 });
    for (const phase of ['listeners', 'sockets', 'consumers', 'bus', 'database', 'telemetry'] as const)
      sequence.add(phase, 'stuck', () => new Promise(() => undefined));
    const report = sequence.run('SIGTERM');
    await clock.advance(10_000);
    const { durationMs, unfinished } = await report;
    expect(durationMs).toBe(10_000);
    expect(unfinished).toHaveLength(6);
    expect(clock.pending).toBe(0);
  });

  it('goes on when a part fails, also when it throws at once', async () => {
    const { clock, events, note, sequence } = setUp();
    sequence.add('listeners', 'broken', () => {
      throw new Error('already closed');
    });
    sequence.add('bus', 'x', () => void note('bus'));
    const report = sequence.run('SIGTERM');
    await clock.advance(0);
    await expect(report).resolves.toMatchObject({ clean: false, failed: ['listeners/broken'] });
    expect(events).toContain('0 bus');
  });

  it('happens once, however often it is asked for', async () => {
    const { clock, sequence } = setUp();
    let closed = 0;
    sequence.add('bus', 'x', () => {
      closed += 1;
    });
    const reports = [sequence.run('SIGTERM'), sequence.run('SIGINT')];
    await clock.advance(0);
    expect(await reports[0]).toBe(await reports[1]);
    expect(closed).toBe(1);
  });

  it('closes at once what a start opens after its phase is over', async () => {
    const { clock, events, note, sequence } = setUp();
    void sequence.run('SIGTERM');
    await clock.advance(0);
    sequence.add('bus', 'late', () => void note('late'));
    await clock.advance(0);
    expect(events).toContain('0 late');
  });

  it('does not wait for load balancers when the service never was ready', async () => {
    const { clock, sequence } = setUp({ propagationDelayMs: 5_000 });
    const report = sequence.run('the start failed', { wasReady: false });
    await clock.advance(0);
    await expect(report).resolves.toMatchObject({ durationMs: 0 });
  });

  it('tells a hook how much time its phase has left', async () => {
    const { clock, sequence } = setUp({ propagationDelayMs: 1_000 });
    const seen: number[] = [];
    sequence.add('consumers', 'x', ({ remainingMs }) => void seen.push(remainingMs()));
    sequence.add('database', 'x', ({ remainingMs }) => void seen.push(remainingMs()));
    const report = sequence.run('SIGTERM');
    await clock.advance(1_000);
    await report;
    expect(seen).toEqual([8_000, 8_800]);
  });
});
