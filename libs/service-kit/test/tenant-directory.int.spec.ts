import { type Bucket, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { systemClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { readConfigHistory } from '../src/config-store/config-history.js';
import { createLogger, type Logger } from '../src/log/create-logger.js';
import type { ConfigChange } from '../src/tenants/tenant-directory.js';
import { WatchedTenantDirectory } from '../src/tenants/watched-tenant-directory.js';
import { startMesh, type TestMesh } from './support/test-mesh.js';

describe('WatchedTenantDirectory', () => {
  let mesh: TestMesh;
  let bucket: Bucket;
  let bus: Bus;
  let tenants: WatchedTenantDirectory;
  let lines: Record<string, unknown>[];
  let changes: ConfigChange[];
  let log: Logger;
  const seen = (message: string) => waitFor(() => lines.find((line) => String(line.message).includes(message)), { what: message });

  beforeAll(async () => {
    mesh = await startMesh({ tenants: { acme: { defaultOwner: 'ops' }, other: {} } });
    bucket = await mesh.admin.kv(BUCKETS.config);
  });
  afterAll(() => mesh.stop());
  beforeEach(async () => {
    await bucket.put('_', { tenants: { acme: { defaultOwner: 'ops' }, other: {} } });
    await bucket.delete('acme');
    lines = [];
    changes = [];
    log = createLogger({ service: 'probe', instanceId: 'probe-1', level: 'debug', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
    tenants = new WatchedTenantDirectory(log);
    bus = await connectBus({ service: 'probe', servers: mesh.nats.url });
    await tenants.start(await bus.kv(BUCKETS.config));
    tenants.onChange((change) => changes.push(change));
  });
  afterEach(() => bus.close());

  it('knows exactly the tenants that the platform declares', () => {
    expect([tenants.has('acme'), tenants.has('other'), tenants.has('nobody'), tenants.has('constructor')]).toEqual([true, true, false, false]);
    expect(tenants.get('nobody')).toBeUndefined();
  });

  it('gives a declared tenant without a document the defaults, with the default owner of the platform', () => {
    expect(tenants.get('acme')).toMatchObject({ agents: { list: [{ id: 'main', default: true }] }, defaultOwner: 'ops' });
    expect(tenants.get('acme')).toBe(tenants.get('acme'));
  });

  it('applies a change of a tenant at once, and a deletion brings the defaults back', async () => {
    await bucket.put('acme', { agents: { list: [{ id: 'sales' }] }, defaultOwner: 'anna' });
    await waitFor(() => tenants.get('acme')?.defaultOwner === 'anna');
    expect(tenants.get('acme')?.agents.list).toEqual([{ id: 'sales' }]);
    await bucket.delete('acme');
    await waitFor(() => tenants.get('acme')?.defaultOwner === 'ops');
    expect(changes).toEqual([
      { kind: 'tenant', tenant: 'acme' },
      { kind: 'tenant', tenant: 'acme' },
    ]);
  });

  it('applies a change of the platform to tenants that were asked for already', async () => {
    expect(tenants.get('acme')?.defaultOwner).toBe('ops');
    await bucket.put('_', { tenants: { acme: { defaultOwner: 'bert' } } });
    await waitFor(() => !tenants.has('other'));
    expect(tenants.get('acme')?.defaultOwner).toBe('bert');
  });

  it.each([
    ['not JSON', '{"agents":', 'syntax'],
    ['too deep', `${'['.repeat(100)}${']'.repeat(100)}`, 'too_deep'],
    ['a prototype key', '{"__proto__":{}}', 'forbidden_key'],
    ['an unknown setting', '{"agent":{}}', 'unrecognized_keys'],
  ])('keeps the last good document when a new one is %s, and logs every issue', async (_what, text, code) => {
    await bucket.put('acme', { defaultOwner: 'anna' });
    await waitFor(() => tenants.get('acme')?.defaultOwner === 'anna');
    await bucket.put('acme', text);
    expect(await seen('is invalid')).toMatchObject({ level: 'error', key: 'acme', issues: [{ code }] });
    expect(tenants.get('acme')?.defaultOwner).toBe('anna');
  });

  it('keeps the platform document when it becomes invalid or is deleted: nobody loses every tenant by a slip', async () => {
    await bucket.put('_', { tenants: { Acme: {} } });
    await seen('is invalid');
    await bucket.delete('_');
    await seen('was deleted');
    expect(tenants.has('acme')).toBe(true);
  });

  it('starts with the last valid version when the newest is invalid, like everybody who runs already; a deletion in between is the last word', async () => {
    const startAnother = async (): Promise<WatchedTenantDirectory> => {
      const another = new WatchedTenantDirectory(log);
      await another.start(await bus.kv(BUCKETS.config), await bus.kv(BUCKETS.configParts), (key) => readConfigHistory(bus, key, systemClock));
      return another;
    };
    await bucket.put('acme', { defaultOwner: 'zoe' });
    const valid = await bucket.put('acme', { defaultOwner: 'anna' });
    await bucket.put('acme', { agent: {} });
    const newest = await bucket.put('acme', '{"agents":');
    await bucket.put('_', { tenants: { Acme: {} } });
    const another = await startAnother();
    expect(another.snapshot('acme')).toMatchObject({ revision: valid, config: { defaultOwner: 'anna' } });
    expect(another.rejectedOf('acme')).toMatchObject({ revision: newest, issues: [{ code: 'syntax' }] });
    await bucket.delete('acme');
    await bucket.put('acme', { agent: {} });
    expect((await startAnother()).snapshot('acme')).toMatchObject({ revision: 0, config: { defaultOwner: 'ops' } });
  });

  it('goes on when a listener fails', async () => {
    tenants.onChange(() => {
      throw new Error('broken listener');
    });
    const later: ConfigChange[] = [];
    tenants.onChange((change) => later.push(change));
    await bucket.put('acme', { defaultOwner: 'carl' });
    await waitFor(() => later.length === 1);
    expect(await seen('a listener for configuration changes failed')).toMatchObject({ level: 'error' });
  });

  it('says so when there is no platform configuration', async () => {
    await bucket.delete('_');
    const fresh = new WatchedTenantDirectory(log);
    await fresh.start(await bus.kv(BUCKETS.config));
    await seen('every tenant is unknown');
    expect(fresh.platform()).toEqual({ tenants: {} });
  });
});
