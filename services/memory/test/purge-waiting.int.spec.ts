import { applyStreams, type Bus } from '@plexus/bus';
import { memoryContracts } from '@plexus/contracts';
import { connectTestBus, startTestNats, type TestNats } from '@plexus/testing';
import { PurgeWaitingWrites } from '../src/adapters/nats/waiting-writes.js';

const { writeMemoryCommand } = memoryContracts;

describe('writes that wait to be carried out', () => {
  let nats: TestNats;
  let bus: Bus;

  beforeAll(async () => {
    nats = await startTestNats();
    bus = await connectTestBus(nats.url, { service: 'gateway' });
    await applyStreams(bus, { maxBytesCap: 16 * 1024 * 1024 });
  });
  afterAll(async () => {
    await bus.close();
    await nats.stop();
  });

  const later = (scope: string, id: string, user = scope.slice(scope.indexOf(':') + 1)) =>
    bus.publish(writeMemoryCommand, { tenant: 'acme', key: [scope], id, data: { user, content: `from ${scope}` } });

  it('are removed by scope, and no others', async () => {
    for (const id of ['a', 'b']) await later('user:ada', id);
    await later('user:bob', 'c');
    const waiting = new PurgeWaitingWrites(bus);
    await expect(waiting.purge('acme', { kind: 'user', id: 'ada' })).resolves.toBe(2);
    await expect(waiting.purge('acme', { kind: 'user', id: 'ada' })).resolves.toBe(0);
    await expect(waiting.purge('other', { kind: 'user', id: 'bob' })).resolves.toBe(0);
    await expect(waiting.purge('acme', { kind: 'user', id: 'bob' })).resolves.toBe(1);
  });

  it('of another user’s session of the same name, and of others for all, stay', async () => {
    for (const scope of ['session:agent:main:main', 'shared:all']) for (const user of ['ada', 'bob']) await later(scope, `${scope}-${user}`, user);
    await bus.publishRaw(writeMemoryCommand.subject('acme', 'shared:all'), Buffer.from('no command'), { msgId: 'x' });
    const waiting = new PurgeWaitingWrites(bus);
    for (const [kind, id] of [
      ['session', 'agent:main:main'],
      ['shared', 'all'],
    ] as const) {
      await expect(waiting.purge('acme', { kind, id }, 'ada')).resolves.toBe(1);
      await expect(waiting.purge('acme', { kind, id }, 'ada')).resolves.toBe(0);
    }
    await expect(waiting.purge('acme', { kind: 'session', id: 'agent:main:main' })).resolves.toBe(1);
    await expect(waiting.purge('acme', { kind: 'shared', id: 'all' })).resolves.toBe(2);
  });
});
