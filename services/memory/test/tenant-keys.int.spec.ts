import type { Database } from '@plexus/database';
import { KeyWrap, masterKeyFrom } from '../src/adapters/crypto/key-wrap.js';
import { PostgresTenantKeys } from '../src/adapters/postgres/tenant-keys.js';
import { memoryConfig } from '../src/config.js';
import { loadKeyWrap } from '../src/master-key.js';
import { BACKENDS, memoryOn, newCaller, note } from './support/backends.js';

const first = masterKeyFrom('first-7f3a9c51d2e84b06a1f5c3e9d7b2a480');
const second = masterKeyFrom('second-c3e9d7b2a4807f3a9c51d2e84b06a1f5');

describe.each(BACKENDS)('keys of tenants on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());
  afterEach(() => database.script('DELETE FROM memory; DELETE FROM tenant'));

  const row = async (tenant: string) =>
    (await database.query<{ mac_key: Uint8Array | null; wrapped_key: string | null }>('test_key', 'SELECT * FROM tenant WHERE tenant_id = $1', [tenant]))[0];

  it('are wrapped from the first write on, and duplicates are recognised by another process', async () => {
    const me = newCaller();
    await memoryOn(database, undefined, undefined, new KeyWrap(first)).write.execute(me, note('hello'));
    expect(await row(me.tenant)).toMatchObject({ mac_key: null, wrapped_key: expect.stringMatching(/^w1\./) });
    const other = memoryOn(database, undefined, undefined, new KeyWrap(first));
    await expect(other.write.execute(me, note('hello'))).resolves.toMatchObject({ result: 'duplicate' });
  });

  it('that lie open are wrapped once there is a master key, and stay the same keys', async () => {
    const me = newCaller();
    await memoryOn(database).write.execute(me, note('hello'));
    expect((await row(me.tenant))?.mac_key).not.toBeNull();
    const keys = new PostgresTenantKeys(database, new KeyWrap(first));
    await expect(keys.rewrap()).resolves.toEqual({ wrapped: 1, rotated: 0 });
    await expect(keys.rewrap()).resolves.toEqual({ wrapped: 0, rotated: 0 });
    expect((await row(me.tenant))?.mac_key).toBeNull();
    const wrapped = memoryOn(database, undefined, undefined, new KeyWrap(first));
    await expect(wrapped.write.execute(me, note('hello'))).resolves.toMatchObject({ result: 'duplicate' });
  });

  it('follow another master key while the former is still named, and need it no more afterwards', async () => {
    const me = newCaller();
    await memoryOn(database, undefined, undefined, new KeyWrap(first)).write.execute(me, note('hello'));
    await expect(new PostgresTenantKeys(database, new KeyWrap(second, first)).rewrap()).resolves.toEqual({ wrapped: 0, rotated: 1 });
    const later = memoryOn(database, undefined, undefined, new KeyWrap(second));
    await expect(later.write.execute(me, note('hello'))).resolves.toMatchObject({ result: 'duplicate' });
  });

  it('are never replaced when the master key is not here', async () => {
    const me = newCaller();
    await memoryOn(database, undefined, undefined, new KeyWrap(first)).write.execute(me, note('hello'));
    const before = await row(me.tenant);
    for (const wrap of [undefined, new KeyWrap(second)]) {
      await expect(new PostgresTenantKeys(database, wrap).rewrap()).rejects.toThrow(first.id);
      await expect(memoryOn(database, undefined, undefined, wrap).write.execute(me, note('hello'))).rejects.toThrow(first.id);
    }
    expect(await row(me.tenant)).toEqual(before);
  });

  it('once dropped make what a backup holds of them unrecognisable: the next key gives other MACs', async () => {
    const me = newCaller();
    const memory = memoryOn(database, undefined, undefined, new KeyWrap(first));
    const before = await memory.keys.macKey(me.tenant);
    await database.query('test_shred', 'DELETE FROM tenant WHERE tenant_id = $1', [me.tenant]);
    expect(await memoryOn(database, undefined, undefined, new KeyWrap(first)).keys.macKey(me.tenant)).not.toEqual(before);
  });
});

describe('the master key', () => {
  const load = (env: Record<string, string>, mode = 'test') =>
    loadKeyWrap({ ...memoryConfig.parse({ MEMORY_DATABASE_URL: 'pglite:/x', ...env }), NODE_ENV: mode });

  it('may be missing outside production only, and weak nowhere near it', () => {
    expect(load({})).toBeUndefined();
    expect(() => load({}, 'production')).toThrow('PLEXUS_MASTER_KEY is not set');
    expect(() => load({ PLEXUS_MASTER_KEY: 'changeme' }, 'production')).toThrow('PLEXUS_MASTER_KEY');
    expect(load({ PLEXUS_MASTER_KEY: 'Xk29fPq1c3e9d7b2a4807f3a9c51d2e84b06' }, 'production')).toBeInstanceOf(KeyWrap);
  });

  it('is read from its file, which must be there', () => {
    expect(() => load({ PLEXUS_MASTER_KEY_FILE: '/nowhere/key' })).toThrow('PLEXUS_MASTER_KEY_FILE /nowhere/key cannot be read');
  });
});
