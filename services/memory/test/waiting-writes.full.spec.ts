import type { Bus } from '@plexus/bus';
import { memoryContracts } from '@plexus/contracts';
import type { RunningService } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { PurgeWaitingWrites } from '../src/adapters/nats/waiting-writes.js';
import { startMemory, startTestMesh, type TestMesh } from './support/mesh.js';

const { writeMemoryCommand, memoryStats } = memoryContracts;

describe('waiting writes in the mesh', () => {
  let mesh: TestMesh;
  let memory: RunningService | undefined;

  beforeEach(async () => {
    mesh = await startTestMesh();
  });
  afterEach(async () => {
    await memory?.stop('end of the test');
    memory = undefined;
    await mesh?.stop();
  });

  const later = (bus: Bus, scope: string, id: string) =>
    bus.publish(writeMemoryCommand, { tenant: 'acme', key: [scope], id, data: { user: scope.slice(scope.indexOf(':') + 1), content: `from ${scope}` } });

  it('waiting writes of a scope are removed before anybody works on them, and no others', async () => {
    for (const [scope, id] of [
      ['user:ada', 'a'],
      ['user:ada', 'b'],
      ['user:bob', 'c'],
    ] as const)
      await later(mesh.gateway, scope, id);
    const waiting = new PurgeWaitingWrites(mesh.gateway);
    await expect(waiting.purge('acme', { kind: 'user', id: 'ada' })).resolves.toBe(2);
    await expect(waiting.purge('acme', { kind: 'user', id: 'ada' })).resolves.toBe(0);
    await expect(waiting.purge('other', { kind: 'user', id: 'bob' })).resolves.toBe(0);
    memory = await startMemory(mesh, 'pglite:memory://');
    const bob = mesh.user('bob');
    await waitFor(async () => (await mesh.gateway.call(memoryStats, 'acme', {}, bob)).memories === 1, { what: 'bob’s write', timeoutMs: 60_000 });
  });
});
