import type { Bus } from '@plexus/bus';
import { memoryArchiveContracts, memoryContracts } from '@plexus/contracts';
import type { RunningService } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { PurgeWaitingWrites } from '../src/adapters/nats/waiting-writes.js';
import { startMemory, startTestMesh, type TestMesh } from './support/mesh.js';

const { writeMemoryCommand, writeMemory, memoryStats } = memoryContracts;
const { exportMemories, importMemories, purgeMemories, checkPurgeReceipt } = memoryArchiveContracts;

describe('whole users in the mesh', () => {
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

  const later = (bus: Bus, scope: string, id: string, user = scope.slice(scope.indexOf(':') + 1)) =>
    bus.publish(writeMemoryCommand, { tenant: 'acme', key: [scope], id, data: { user, content: `from ${scope}` } });

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

  it('waiting writes of another user’s session of the same name, and of others for all, stay', async () => {
    for (const scope of ['session:agent:main:main', 'shared:all'])
      for (const user of ['ada', 'bob']) await later(mesh.gateway, scope, `${scope}-${user}`, user);
    await mesh.gateway.publishRaw(writeMemoryCommand.subject('acme', 'shared:all'), Buffer.from('no command'), { msgId: 'x' });
    const waiting = new PurgeWaitingWrites(mesh.gateway);
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

  it('are exported, purged with a receipt and imported again by calls; others are refused', async () => {
    memory = await startMemory(mesh, 'pglite:memory://');
    const ada = mesh.user('ada');
    const bob = mesh.user('bob');
    const { id } = await mesh.gateway.call(writeMemory, 'acme', { content: 'hello', idempotencyKey: 'k' }, ada);
    const { lines, asOf } = await mesh.gateway.call(exportMemories, 'acme', {}, ada);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([expect.objectContaining({ id, content: 'hello' })]);
    for (const data of [{ user: 'ada' }, { scope: { kind: 'user' as const, id: 'ada' } }]) {
      await expect(mesh.gateway.call(exportMemories, 'acme', data, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(mesh.gateway.call(purgeMemories, 'acme', { ...data, confirm: true }, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    await expect(mesh.gateway.call(importMemories, 'acme', { importId: 'i', from: 0, lines }, bob)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { receipt } = await mesh.gateway.call(purgeMemories, 'acme', { confirm: true }, ada);
    expect(receipt.counts).toMatchObject({ memories: 1, idempotencyResults: 1 });
    await expect(mesh.gateway.call(checkPurgeReceipt, 'acme', { receipt, user: 'ada' }, bob)).resolves.toEqual({ genuine: true, matches: true });
    expect((await mesh.gateway.call(exportMemories, 'acme', {}, ada)).lines).toEqual([]);
    const spoilt = { format: 'plexus-memory', version: 1, memories: 2, sha256: '0'.repeat(64), asOf } as const;
    await expect(mesh.gateway.call(importMemories, 'acme', { importId: 'i', from: 0, lines, manifest: spoilt }, ada)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await expect(mesh.gateway.call(memoryStats, 'acme', {}, ada)).resolves.toMatchObject({ memories: 0 });
  });
});
