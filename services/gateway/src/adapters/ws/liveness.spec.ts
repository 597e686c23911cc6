import { FakeClock } from '@plexus/kernel';
import type { Due } from './due.js';
import { Liveness } from './liveness.js';

/** A peer whose answers to pings stop at some moment. */
class Peer {
  awaitingPong = false;
  due: Due | undefined;
  readonly connection = undefined;
  closedAt: number | undefined;
  pings = 0;
  endedAt: number | undefined;

  constructor(
    private readonly clock: FakeClock,
    private readonly brokenAt: number,
  ) {}

  ping(): void {
    this.pings += 1;
    this.awaitingPong = this.clock.monotonic() >= this.brokenAt;
  }

  terminate(): void {
    this.endedAt ??= this.clock.monotonic();
  }

  close(): void {
    this.closedAt ??= this.clock.monotonic();
  }
}

/** A peer that answers every ping after two seconds. */
class Slow extends Peer {
  constructor(private readonly wire: FakeClock) {
    super(wire, Number.POSITIVE_INFINITY);
  }

  override ping(): void {
    this.pings += 1;
    this.awaitingPong = true;
    this.wire.setTimeout(() => {
      this.awaitingPong = false;
    }, 2_000);
  }
}

/** A clock of a process that can be held up: time passes, and its timers fire late. */
class StallingClock extends FakeClock {
  private stalledMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.stalledMs;
  }

  stall(ms: number): void {
    this.stalledMs += ms;
  }
}

describe('the liveness wheel', () => {
  function wheel(peers: Peer[], clock: FakeClock, handshakeMs = 1e9): Liveness {
    const all = { all: () => peers.filter(({ endedAt }) => endedAt === undefined) };
    const nothing = { endWhere: () => undefined };
    const inboxes = { of: () => undefined, sweep: async () => undefined };
    const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const options = { handshakeMs, tickMs: 15_000, pingMs: 25_000, beatMs: 1_000, expiryGraceMs: 0 };
    return new Liveness(all, { all: () => [] }, nothing, inboxes, { beat: async () => undefined }, { look: () => undefined }, options, clock, log);
  }

  it('G5: ends half-open connections at most 37.5 s after they broke, at whatever moment of their interval that was, and no others', async () => {
    const clock = new FakeClock();
    const broken = Array.from({ length: 300 }, (_, index) => new Peer(clock, 20_000 + index * 250));
    const healthy = Array.from({ length: 50 }, () => new Peer(clock, Number.POSITIVE_INFINITY));
    const liveness = wheel([...broken, ...healthy], clock);
    liveness.start();
    await clock.advance(150_000);
    liveness.stop();
    const found = broken.map(({ endedAt = Number.POSITIVE_INFINITY }, index) => endedAt - (20_000 + index * 250));
    expect(Math.max(...found)).toBeLessThanOrEqual(37_500);
    // Nobody is ended who had less than 9 s to answer.
    expect(Math.min(...found)).toBeGreaterThanOrEqual(9_000);
    expect(healthy.filter(({ endedAt }) => endedAt !== undefined)).toEqual([]);
    // Each is asked on its own, about every 25 s.
    for (const { pings } of healthy) expect([5, 6]).toContain(pings);
    expect(clock.pending).toBe(0);
  });

  it('does not count the time in which this process itself did not run: nobody is ended for it, and who is broken is found all the same', async () => {
    const clock = new StallingClock();
    const healthy = Array.from({ length: 200 }, () => new Slow(clock));
    const broken = Array.from({ length: 20 }, () => new Peer(clock, 60_000));
    const newcomer = new Peer(clock, Number.POSITIVE_INFINITY);
    const liveness = wheel([...healthy, ...broken, newcomer], clock, 15_000);
    liveness.start();
    await clock.advance(10_000);
    // Long enough for every pong and for the hello; what peers said meanwhile is read only behind the turn of the wheel.
    for (const stallMs of [20_000, 60_000, 3_000]) {
      clock.stall(stallMs);
      await clock.advance(1_500);
    }
    expect([...healthy, newcomer].filter(({ endedAt, closedAt }) => endedAt !== undefined || closedAt !== undefined)).toEqual([]);
    await clock.advance(60_000);
    liveness.stop();
    expect(healthy.filter(({ endedAt }) => endedAt !== undefined)).toEqual([]);
    expect(broken.filter(({ endedAt }) => endedAt === undefined)).toEqual([]);
    expect(newcomer.closedAt).toBeDefined();
  });

  it('closes who has not said hello in time, and not before', async () => {
    const clock = new FakeClock();
    const silent = new Peer(clock, Number.POSITIVE_INFINITY);
    const liveness = wheel([silent], clock, 15_000);
    const from = clock.monotonic();
    liveness.start();
    await clock.advance(20_000);
    liveness.stop();
    expect((silent.closedAt ?? 0) - from).toBeGreaterThanOrEqual(15_000);
    expect((silent.closedAt ?? 0) - from).toBeLessThanOrEqual(15_500);
  });
});
