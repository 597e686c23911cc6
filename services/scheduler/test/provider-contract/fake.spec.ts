import { FakeClock, systemClock } from '@plexus/kernel';
import { FakeProvider } from '../../src/adapters/fake/fake-provider.js';
import { FakeWorld } from '../../src/adapters/fake/fake-world.js';
import type { InstanceSpec } from '../../src/application/provider-port.js';
import { describeProviderContract } from './provider-contract.js';

describeProviderContract('the fake', { runs: true, workspace: true }, async () => {
  const world = new FakeWorld(systemClock);
  let opened = 0;
  const another = async (cluster = 'test'): Promise<FakeProvider> => {
    opened += 1;
    return new FakeProvider({ world, cluster, by: `process-${opened}` });
  };
  return {
    provider: await another(),
    another: () => another(),
    otherCluster: () => another('other'),
    running: async ({ vmId, epoch }) => world.running(vmId).filter((instance) => instance.epoch === epoch).length,
    received: async (key) => world.find(key, 'test')?.bootstrap,
    async crash(key) {
      const found = world.find(key, 'test');
      if (found !== undefined) world.end(found, { signal: 'SIGKILL' }, 'the test');
    },
    exposed: async (key) => JSON.stringify([key, world.find(key, 'test')?.log, world.deeds]),
    async write(vmId, name, text) {
      world.workspaces.get(vmId)?.files.set(name, text);
    },
    read: async (vmId, name) => world.workspaces.get(vmId)?.files.get(name),
    async stop() {
      expect(world.running()).toEqual([]);
    },
  };
});

describe('faults of the fake', () => {
  const spec = (epoch = 1): InstanceSpec => ({ vmId: 'vm-1', epoch, userId: 'me', bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }) });
  const fixture = () => {
    const clock = new FakeClock();
    const world = new FakeWorld(clock);
    return { clock, world, provider: new FakeProvider({ world }) };
  };

  it('fails before the effect, or after it', async () => {
    const { world, provider } = fixture();
    world.fault = () => ({ failBefore: 'UNAVAILABLE' });
    await expect(provider.create(spec())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(world.running()).toEqual([]);
    world.fault = () => ({ failAfter: 'UNAVAILABLE' });
    await expect(provider.create(spec())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(world.running('vm-1')).toHaveLength(1);
  });

  it('is slow by the clock of the world only', async () => {
    const { clock, world, provider } = fixture();
    world.fault = () => ({ delayMs: 60_000 });
    const created = provider.create(spec());
    await clock.advance(59_999);
    expect(world.running()).toEqual([]);
    await clock.advance(1);
    expect(await created).toMatchObject({ phase: 'running' });
  });

  it('says unknown, and nobody can tell from the answer what is', async () => {
    const { world, provider } = fixture();
    world.fault = () => ({ unknown: true });
    expect(await provider.create(spec())).toMatchObject({ phase: 'unknown' });
    expect(await provider.observe(spec())).toMatchObject({ phase: 'unknown' });
    expect(world.running()).toHaveLength(1);
  });

  it('claims to have destroyed what still runs', async () => {
    const { world, provider } = fixture();
    await provider.create(spec());
    world.fault = (operation) => (operation === 'destroy' ? { withoutEffect: true } : {});
    expect(await provider.destroy(spec(), { force: true })).toEqual({ phase: 'absent' });
    expect(world.running()).toHaveLength(1);
  });

  it('loses the watch, and finds it again', async () => {
    const { clock, world, provider } = fixture();
    await provider.create(spec());
    const calls: number[] = [];
    provider.watch([spec()], ({ epoch }) => calls.push(epoch));
    world.watchIsLost = true;
    for (const instance of world.running()) world.end(instance, { signal: 'SIGKILL' }, 'the test');
    await clock.advance(5_000);
    expect(calls).toEqual([]);
    world.watchIsLost = false;
    await clock.advance(1_000);
    expect(calls).toEqual([1, 1]);
    await provider.close();
  });
});
