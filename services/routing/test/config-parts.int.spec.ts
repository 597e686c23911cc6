import { BUCKETS, configContracts as rpc } from '@plexus/contracts';
import { type Bus, type Bucket } from '@plexus/bus';
import { systemClock, ulid } from '@plexus/kernel';
import { dropParts, storeParts } from '@plexus/service-kit';
import { KvConfigStore } from '../src/adapters/kv/kv-config-store.js';
import { type ConfigMesh, startConfigMesh } from './support/config-mesh.js';

const BYTES = Buffer.from('{}');
const minutesAgo = (minutes: number): string => ulid(Date.now() - minutes * 60_000);
const large = (name: string): string => JSON.stringify({ agents: { list: [{ id: 'main', systemPrompt: name.charAt(0).repeat(60_000) }] } });

describe('documents in parts', () => {
  let mesh: ConfigMesh;
  let parts: Bucket;
  beforeAll(async () => {
    mesh = await startConfigMesh();
    parts = await mesh.bus.kv(BUCKETS.configParts);
  }, 180_000);
  afterAll(() => mesh.stop());
  const storeOn = (bus: Bus, keptBytes?: number): KvConfigStore => new KvConfigStore(bus, mesh.bucket, parts, systemClock, keptBytes);

  it.each([
    ['a ULID', ulid(0)],
    ['as long as a ULID', 'a-tenant-of-26-characters0'],
    ['short', 'acme'],
  ])('stay while their writer may be at it, and go when it must have died, also of a tenant whose name is %s', async (_what, tenant) => {
    const store = storeOn(mesh.bus);
    const fresh = await storeParts(parts, `${tenant}.upload.${minutesAgo(1)}`, BYTES);
    const writing = await storeParts(parts, `${tenant}.7.${'a'.repeat(64)}.${minutesAgo(1)}.d`, BYTES);
    await storeParts(parts, `${tenant}.upload.${minutesAgo(11)}`, BYTES);
    await storeParts(parts, `${tenant}.7.${'a'.repeat(64)}.${minutesAgo(11)}.d`, BYTES);
    expect(await store.sweep(tenant)).toBe(2);
    expect((await parts.keys(`${tenant}.>`)).sort()).toEqual([`${fresh.prefix}.0`, `${writing.prefix}.0`].sort());
    expect(await store.load(tenant, fresh)).toBe('{}');
    for (const stored of [fresh, writing]) await dropParts(parts, stored);
  });

  it('leave a tenant able to write, to roll back and to ask for the status when they are lost; a patch of what cannot be read is refused', async () => {
    const small = await mesh.apply("{defaultOwner: 'anna'}");
    const lost = await mesh.apply(large('lost'));
    const { stored } = await mesh.call(rpc.getConfig, {});
    await dropParts(parts, stored as rpc.StoredText);
    expect((await mesh.call(rpc.configStatus, {})).revision).toBe(lost.revision);
    const now = await mesh.call(rpc.getConfig, {});
    expect(now).toMatchObject({ revision: lost.revision, exists: true });
    await expect(mesh.call(rpc.patchConfig, { patch: { defaultOwner: 'bert' }, baseHash: now.hash })).rejects.toMatchObject({ code: 'CONFIG_REJECTED' });
    await expect(mesh.call(rpc.rollbackConfig, { revision: lost.revision })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const back = await mesh.call(rpc.rollbackConfig, { revision: small.revision, baseRevision: lost.revision });
    expect(await mesh.call(rpc.getConfig, {})).toMatchObject({ revision: back.revision, text: "{defaultOwner: 'anna'}" });
    const again = await mesh.apply(large('lost'));
    await dropParts(parts, (await mesh.call(rpc.getConfig, {})).stored as rpc.StoredText);
    expect(await mesh.apply(large('lost'))).toMatchObject({ changed: true, hash: again.hash });
    expect((await mesh.call(rpc.getConfig, {})).stored).toBeDefined();
  }, 180_000);

  it('of old revisions go when a tenant has more of them than its share; the newest always stays', async () => {
    await mesh.apply('{}');
    const revisions: number[] = [];
    for (const name of ['1', '2', '3', '4']) revisions.push((await mesh.apply(large(name))).revision);
    const store = storeOn(mesh.bus, 150_000);
    expect(await store.sweep('acme')).toBeGreaterThanOrEqual(2);
    const readable = await Promise.all(
      revisions.map((revision) =>
        store.at('acme', revision).then(
          (found) => found !== undefined,
          () => false,
        ),
      ),
    );
    expect(readable).toEqual([false, false, true, true]);
    await storeOn(mesh.bus, 0).sweep('acme');
    expect((await store.current('acme'))?.revision).toBe(revisions.at(-1));
    expect((await parts.keys('acme.>')).length).toBe(1);
  }, 180_000);
});
