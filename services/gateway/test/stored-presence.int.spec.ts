import type { Bucket } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { FakeClock, ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { StoredPresence } from '../src/adapters/nats/stored-presence.js';
import type { Place, PresenceEntry } from '../src/application/presence.js';
import { TestMesh } from './support/test-mesh.js';

const SLOTS = 3;
const WITHOUT_LIMIT = 0;
const A_LEASE_AND_MORE_MS = 20_000;
const silent = { debug: () => undefined, warn: () => undefined };

describe('the entries of a gateway that was held up', () => {
  let mesh: TestMesh;
  let entries: Bucket;
  let leases: Bucket;
  let clock: FakeClock;
  let presence: StoredPresence;

  beforeAll(async () => {
    mesh = await TestMesh.start();
    entries = await mesh.operator.kv(BUCKETS.presence);
    leases = await mesh.operator.kv(BUCKETS.nodes);
  });
  afterAll(() => mesh?.stop());

  beforeEach(async () => {
    clock = new FakeClock();
    presence = new StoredPresence('held-up', clock, silent);
    await presence.start(entries, leases);
    await renewLease();
  });
  afterEach(async () => {
    await presence.stop(AbortSignal.abort());
    for (const gateway of await leases.keys()) await leases.delete(gateway);
    for (const key of await entries.keys()) await entries.delete(key);
  });

  /** As every gateway does every 4 s; a second key tells when the watch has passed the lease. */
  async function renewLease(): Promise<void> {
    await leases.put('held-up', { at: 1 });
    const marker = ulid();
    await leases.put(marker, { at: 1, tenants: { [marker]: 1 } });
    await waitFor(() => presence.elsewhere(marker) === 1);
    await leases.delete(marker);
  }

  async function enter(user: string, slots: number): Promise<Place> {
    const entry: PresenceEntry = {
      gateway: 'held-up',
      connId: ulid(),
      user,
      ts: clock.now(),
      roles: ['operator'],
      scopes: [],
      mode: 'ui',
      platform: 'test',
      version: '1',
      text: user,
    };
    const place = await presence.take({ tenant: 'default', exempt: false, entry }, slots);
    if (place === undefined) throw new Error('no place');
    await waitFor(async () => {
      await clock.advance(300); // a short visit is not written down
      return (await keysOf(user)).length > 0;
    });
    return place;
  }
  const keysOf = async (user: string): Promise<string[]> => (await entries.keys()).filter((key) => key.startsWith(`conn.default.${user}.`));

  /** What the others do once the lease has run out. */
  async function sweptByOthers(): Promise<void> {
    for (const key of await entries.keys()) await entries.delete(key);
  }

  it.each([
    ['numbered place', SLOTS],
    ['entry without a limit', WITHOUT_LIMIT],
  ])('are there again when it goes on: a %s', async (_, slots) => {
    const place = await enter('ann', slots);
    const before = await keysOf('ann');
    await sweptByOthers();
    await clock.advance(A_LEASE_AND_MORE_MS);
    await renewLease();
    await waitFor(async () => (await keysOf('ann')).length === 1, { what: 'the entry that was swept' });
    expect(await keysOf('ann')).toEqual(before);
    place.release();
    await waitFor(async () => (await keysOf('ann')).length === 0, { what: 'the entry to go with its connection' });
  });

  it('stay away when their connection has gone meanwhile', async () => {
    const place = await enter('bob', SLOTS);
    const stays = await enter('cid', SLOTS);
    await sweptByOthers();
    place.release();
    await clock.advance(A_LEASE_AND_MORE_MS);
    await renewLease();
    await waitFor(async () => (await keysOf('cid')).length === 1);
    expect(await keysOf('bob')).toEqual([]);
    stays.release();
  });

  it('leave the place to whoever has come in by it', async () => {
    const place = await enter('dan', 1);
    const [key = ''] = await keysOf('dan');
    await sweptByOthers();
    await leases.put('elsewhere', { at: 1 });
    await entries.put(key, { connId: 'another', gateway: 'elsewhere' });
    const stays = await enter('eve', SLOTS);
    await entries.delete((await keysOf('eve'))[0] ?? '');
    await clock.advance(A_LEASE_AND_MORE_MS);
    await renewLease();
    await waitFor(async () => (await keysOf('eve')).length === 1);
    expect((await entries.get(key))?.json()).toMatchObject({ connId: 'another' });
    place.release();
    stays.release();
    await waitFor(async () => (await keysOf('eve')).length === 0);
    expect((await entries.get(key))?.json()).toMatchObject({ connId: 'another' });
  });
});
