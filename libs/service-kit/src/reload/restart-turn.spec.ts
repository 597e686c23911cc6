import type { Bucket } from '@plexus/bus';
import { FakeClock } from '@plexus/kernel';
import { createLogger } from '../log/create-logger.js';
import { RestartTurn } from './restart-turn.js';

const log = createLogger({ service: 'spec', instanceId: 'spec', level: 'silent' });

describe('the turn of a process in a restart', () => {
  it('is taken for a wish that comes while the lease of an earlier one is being given back', async () => {
    const clock = new FakeClock();
    let givenBack: (done: boolean) => void = () => undefined;
    let revision = 0;
    const leases = {
      get: async () => undefined,
      create: async () => ++revision,
      update: async () => ++revision,
      delete: () => new Promise<boolean>((resolve) => (givenBack = resolve)),
    };
    const left: string[] = [];
    let active = 1;
    const turn = new RestartTurn({
      service: 'gateway',
      instanceId: 'a',
      leases: leases as unknown as Bucket,
      clock,
      log,
      readyPeers: () => [],
      activeOperations: () => active,
      leave: (reason) => left.push(reason),
      onState: () => undefined,
    });
    turn.want(['plugins']);
    await clock.advance(0);
    expect(turn.state).toBe('draining');
    turn.want([]);
    await clock.advance(500);
    turn.want(['plugins']);
    active = 0;
    givenBack(true);
    await clock.advance(1_000);
    expect([left.length, turn.state]).toEqual([1, 'leaving']);
    await turn.stop();
  });
});
