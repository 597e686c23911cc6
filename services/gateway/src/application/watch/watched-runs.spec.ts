import { FakeClock } from '@plexus/kernel';
import { type Leaving, type StartedRun, WatchedRuns } from './watched-runs.js';

const GRACE_MS = 5_000;
const log = { info: () => undefined, warn: () => undefined };
const principal = { tenant: 'acme', user: 'ann', role: 'user' as const, scopes: ['operator.write'], credentialId: 'c' };
const RUN: StartedRun = { principal, owner: 'ann', sessionKey: 'agent:main:main', runId: 'r1', via: 'stream' };
const LEFT: Leaving = { tenant: 'acme', user: 'ann', kind: 'stream', session: { owner: 'ann', sessionKey: 'agent:main:main' } };

class World {
  readonly clock = new FakeClock();
  readonly cancelled: string[] = [];
  readonly told: Leaving[] = [];
  readonly ends = new Map<string, () => void>();
  here = false;
  elsewhere: () => Promise<boolean> = async () => false;
  readonly runs = new WatchedRuns({
    isWatched: () => this.here,
    peers: { tell: (leaving) => void this.told.push(leaving), isWatched: () => this.elsewhere() },
    cancel: async ({ runId }) => void this.cancelled.push(runId),
    onRunEnd: (_owner, runId, listener) => {
      this.ends.set(runId, listener);
      return () => void this.ends.delete(runId);
    },
    clock: this.clock,
    graceMs: GRACE_MS,
    log,
  });
}

describe('runs that are watched', () => {
  it('finding 1: a run is cancelled when its client goes away, not when we close the stream after its end', async () => {
    const world = new World();
    world.runs.started(RUN);
    world.runs.left(LEFT);
    await world.clock.advance(GRACE_MS - 1);
    expect(world.cancelled).toEqual([]);
    await world.clock.advance(1);
    expect(world.cancelled).toEqual(['r1']);

    const done = new World();
    done.runs.started(RUN);
    done.ends.get('r1')?.();
    done.runs.left(LEFT);
    await done.clock.advance(10 * GRACE_MS);
    expect([done.cancelled, done.runs.size, done.clock.pending]).toEqual([[], 0, 0]);
  });

  it('go on when nobody ever watched them, and when their end comes within the grace', async () => {
    const world = new World();
    world.runs.started(RUN);
    await world.clock.advance(10 * GRACE_MS);
    world.runs.left(LEFT);
    await world.clock.advance(GRACE_MS - 1);
    world.ends.get('r1')?.();
    await world.clock.advance(GRACE_MS);
    expect([world.cancelled, world.clock.pending]).toEqual([[], 0]);
  });

  it('go on when somebody is back at the end of the grace, and have a whole grace again after the next leaving', async () => {
    const world = new World();
    world.runs.started(RUN);
    world.runs.left(LEFT);
    await world.clock.advance(4_000);
    world.here = true;
    await world.clock.advance(500);
    world.here = false;
    world.runs.left(LEFT);
    await world.clock.advance(4_999);
    expect(world.cancelled).toEqual([]);
    await world.clock.advance(1);
    expect(world.cancelled).toEqual(['r1']);
  });

  it('go on while somebody watches on another gateway, or while that cannot be found out', async () => {
    const world = new World();
    world.runs.started(RUN);
    world.elsewhere = async () => true;
    world.runs.left(LEFT);
    await world.clock.advance(GRACE_MS);
    world.elsewhere = async () => Promise.reject(new Error('nobody answers'));
    world.runs.left(LEFT);
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual([]);
    world.elsewhere = async () => false;
    world.runs.heard(LEFT);
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual(['r1']);
  });

  it('go on when somebody comes, or the run ends, while the others are asked', async () => {
    const world = new World();
    const somebodyComes = () => {
      world.here = true;
    };
    for (const happens of [somebodyComes, () => world.ends.get('r1')?.()]) {
      world.here = false;
      world.runs.started(RUN);
      let answer: (watched: boolean) => void = () => undefined;
      world.elsewhere = () =>
        new Promise((resolve) => {
          answer = resolve;
        });
      world.runs.left(LEFT);
      await world.clock.advance(GRACE_MS);
      happens();
      answer(false);
      await world.clock.advance(0);
    }
    expect(world.cancelled).toEqual([]);
  });

  it('are told apart: by user, tenant, session and the kind of their watchers', async () => {
    const world = new World();
    world.runs.started(RUN);
    world.runs.started({ ...RUN, runId: 'r2', sessionKey: 'agent:main:other' });
    world.runs.started({ ...RUN, runId: 'r3', via: 'socket' });
    world.runs.started({ ...RUN, runId: 'r4', principal: { ...principal, user: 'bob' } });
    world.runs.started({ ...RUN, runId: 'r5', principal: { ...principal, tenant: 'other' } });
    world.runs.left(LEFT);
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual(['r1']);
    world.runs.left({ tenant: 'acme', user: 'ann', kind: 'socket' });
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual(['r1', 'r3']);
    expect(world.told).toEqual([LEFT, { tenant: 'acme', user: 'ann', kind: 'socket' }]);
  });

  it('are watched by the socket that started them, whatever it subscribed to', async () => {
    const world = new World();
    const starter = { open: true };
    world.runs.started({ ...RUN, via: 'socket', starter });
    world.runs.left({ tenant: 'acme', user: 'ann', kind: 'socket' });
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual([]);
    starter.open = false;
    world.runs.left({ tenant: 'acme', user: 'ann', kind: 'socket' });
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual(['r1']);
    world.runs.started({ ...RUN, runId: 'r2', via: 'socket', starter });
    await world.clock.advance(GRACE_MS);
    expect(world.cancelled).toEqual(['r1', 'r2']);
  });

  it('go on when this gateway ends: no timer is left', async () => {
    const world = new World();
    world.runs.started(RUN);
    world.runs.left(LEFT);
    world.runs.stop();
    world.runs.started({ ...RUN, runId: 'r2' });
    await world.clock.advance(10 * GRACE_MS);
    expect([world.cancelled, world.runs.size, world.clock.pending, world.ends.size]).toEqual([[], 0, 0, 0]);
  });
});
