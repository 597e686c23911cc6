import { Kvm } from '@nats-io/kv';
import type { BucketDefinition } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import type { Bucket, BucketChange, Bus } from '../src/index.js';
import { Fixture, failure } from './fixture.js';

const plain: BucketDefinition = { name: 'PLEXUS_TEST', ttlMs: 0, history: 1, maxBytes: 8 * 1024 * 1024, summary: 'test' };
const fleeting: BucketDefinition = { ...plain, name: 'PLEXUS_FLEETING', ttlMs: 1_000 };

let fixture: Fixture;
let bus: Bus;
let bucket: Bucket;
let counter = 0;
let key: string;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({ buckets: [plain, fleeting] });
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
  bucket = await bus.kv(plain);
  counter += 1;
  key = `t${counter}.key`;
});
afterEach(() => fixture.disconnectAll());

/** Collects what a watcher reports, in order. */
function record(changes: string[]) {
  return (change: BucketChange): void => {
    changes.push(change.kind === 'put' ? `${change.key}=${change.entry.json<unknown>()}` : `${change.key} gone`);
  };
}

describe('a bucket', () => {
  it('stores bytes, text and JSON under revisions that grow', async () => {
    const first = await bucket.put(key, { a: 1 });
    expect(await bucket.get(key)).toMatchObject({ key, revision: first });
    expect((await bucket.get(key))?.json()).toEqual({ a: 1 });
    const second = await bucket.put(key, 'text');
    expect(second).toBeGreaterThan(first);
    expect(Buffer.from((await bucket.get(key))?.value as Uint8Array).toString()).toBe('text');
    await bucket.put(key, Uint8Array.of(0, 255));
    expect(Buffer.from((await bucket.get(key))?.value as Uint8Array).toString('hex')).toBe('00ff');
  });

  it('creates a key once, and again after it was deleted', async () => {
    const created = await bucket.create(key, 1);
    expect(created).toBeGreaterThan(0);
    expect(await bucket.create(key, 2)).toBeUndefined();
    expect(await bucket.delete(key)).toBe(true);
    expect(await bucket.get(key)).toBeUndefined();
    expect(await bucket.create(key, 3)).toBeGreaterThan(created as number);
    expect((await bucket.get(key))?.json()).toBe(3);
  });

  it('updates and deletes only the revision that was read', async () => {
    const first = await bucket.put(key, 1);
    const second = (await bucket.update(key, 2, first)) as number;
    expect(await bucket.update(key, 3, first)).toBeUndefined();
    expect(await bucket.delete(key, first)).toBe(false);
    expect((await bucket.get(key))?.json()).toBe(2);
    expect(await bucket.delete(key, second)).toBe(true);
    expect(await bucket.get(key)).toBeUndefined();
  });

  it('lists the keys that exist, by pattern', async () => {
    const names = [`t${counter}.a.x`, `t${counter}.a.y`, `t${counter}.b.x`];
    for (const name of names) await bucket.put(name, 1);
    await bucket.put(`t${counter}.gone.x`, 1);
    await bucket.delete(`t${counter}.gone.x`);
    expect((await bucket.keys(`t${counter}.>`)).sort()).toEqual(names);
    expect((await bucket.keys(`t${counter}.*.x`)).sort()).toEqual([names[0], names[2]]);
    expect(await bucket.keys('nothing.>')).toEqual([]);
    expect((await bucket.keys()).length).toBeGreaterThanOrEqual(3);
  });

  it('refuses keys and patterns that are none', async () => {
    for (const bad of ['', '.', 'a..b', 'a.', 'a b', 'a*', '>', 'ä']) {
      expect(await failure(bucket.get(bad))).toMatchObject({ code: 'INVALID_REQUEST' });
    }
    expect(await failure((async () => bucket.watch('a.>.b', () => {}))())).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('that does not exist is STREAM_PLAN_MISMATCH', async () => {
    expect(await failure(bus.kv({ ...plain, name: 'PLEXUS_MISSING' }))).toMatchObject({ code: 'STREAM_PLAN_MISMATCH' });
  });

  it('is the same bucket for other NATS clients', async () => {
    const theirs = await new Kvm(bus.connection).open(plain.name);
    await bucket.put(key, { ours: true });
    expect((await theirs.get(key))?.json()).toEqual({ ours: true });
    await theirs.put(key, JSON.stringify({ theirs: true }));
    expect((await bucket.get(key))?.json()).toEqual({ theirs: true });
    await theirs.delete(key);
    expect(await bucket.get(key)).toBeUndefined();
    expect(await bucket.create(key, 1)).toBeDefined();
    await bucket.delete(key);
    expect((await theirs.get(key))?.operation).toBe('DEL');
    await theirs.create(key, 'x');
    await theirs.purge(key);
    expect(await bucket.get(key)).toBeUndefined();
    expect(await bucket.keys(key)).toEqual([]);
  });
});

describe('compare and set', () => {
  it('has exactly one winner when many create the same key', async () => {
    const results = await Promise.all(Array.from({ length: 30 }, (_, n) => bucket.create(key, n)));
    expect(results.filter((revision) => revision !== undefined)).toHaveLength(1);
  });

  it('loses no increment, however many count at the same time', async () => {
    await bucket.put(key, 0);
    const increment = async (): Promise<void> => {
      for (;;) {
        const entry = await bucket.get(key);
        if ((await bucket.update(key, (entry?.json<number>() as number) + 1, entry?.revision as number)) !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: 12 }, increment));
    expect((await bucket.get(key))?.json()).toBe(12);
  });

  it('behaves like one register under any sequence of operations', async () => {
    let run = 0;
    const operation = fc.record({ kind: fc.constantFrom('create', 'put', 'update', 'stale', 'delete'), value: fc.integer({ min: 0, max: 99 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        run += 1;
        const name = `t${counter}.model.${run}`;
        let value: number | undefined;
        let revision = 0;
        for (const { kind, value: next } of operations) {
          if (kind === 'create') {
            const created = await bucket.create(name, next);
            expect(created === undefined).toBe(value !== undefined);
            if (created !== undefined) [value, revision] = [next, created];
          } else if (kind === 'put') [value, revision] = [next, await bucket.put(name, next)];
          else if (kind === 'update' && value !== undefined) [value, revision] = [next, (await bucket.update(name, next, revision)) as number];
          else if (kind === 'stale' && revision > 0) expect(await bucket.update(name, next, revision - 1)).toBeUndefined();
          else if (kind === 'delete' && value !== undefined) {
            expect(await bucket.delete(name, revision)).toBe(true);
            value = undefined;
          }
          expect((await bucket.get(name))?.json()).toBe(value);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('a watch', () => {
  it('begins with what exists and goes on with every change, in order', async () => {
    await bucket.put(`t${counter}.a`, 1);
    await bucket.put(`t${counter}.b`, 2);
    await bucket.put('elsewhere', 0);
    const changes: string[] = [];
    const watch = bucket.watch(`t${counter}.>`, record(changes));
    await watch.ready;
    expect(changes).toEqual([`t${counter}.a=1`, `t${counter}.b=2`]);
    await bucket.put(`t${counter}.a`, 3);
    await bucket.delete(`t${counter}.b`);
    await bucket.put('elsewhere', 1);
    await bucket.put(`t${counter}.c`, 4);
    await waitFor(() => changes.length === 5);
    expect(changes.slice(2)).toEqual([`t${counter}.a=3`, `t${counter}.b gone`, `t${counter}.c=4`]);
    await watch.stop();
    await bucket.put(`t${counter}.c`, 5);
    await bus.connection.flush();
    expect(changes).toHaveLength(5);
  });

  it('of nothing is ready at once', async () => {
    await bucket.watch(`t${counter}.nothing.>`, () => {}).ready;
  });

  it('of a key that was deleted before begins without it', async () => {
    await bucket.put(key, 1);
    await bucket.delete(key);
    const changes: string[] = [];
    await bucket.watch(key, record(changes)).ready;
    expect(changes).toEqual([]);
  });

  it('survives a listener that throws', async () => {
    const seen: string[] = [];
    const watch = bucket.watch(`t${counter}.>`, (change) => {
      seen.push(change.key);
      throw new Error('broken listener');
    });
    await watch.ready;
    await bucket.put(`t${counter}.a`, 1);
    await bucket.put(`t${counter}.b`, 1);
    await waitFor(() => seen.length === 2);
  });

  it('after a crash of the server reports what changed and what vanished meanwhile, and nothing twice', async () => {
    const other = await (await fixture.connect()).kv(plain);
    for (const name of ['keep', 'change', 'vanish']) await bucket.put(`t${counter}.${name}`, 1);
    const changes: string[] = [];
    const watch = bucket.watch(`t${counter}.>`, record(changes));
    await watch.ready;
    changes.length = 0;
    await fixture.crash();
    await other.put(`t${counter}.change`, 2);
    await other.delete(`t${counter}.vanish`);
    await waitFor(() => changes.length >= 2);
    await other.put(`t${counter}.last`, 1);
    await waitFor(() => changes.includes(`t${counter}.last=1`));
    expect(changes).toEqual([`t${counter}.change=2`, `t${counter}.vanish gone`, `t${counter}.last=1`]);
  });

  it('gets ready, with everything that exists, however fast the keys are overwritten while it begins', async () => {
    const writer = await (await fixture.connect()).kv(plain);
    await writer.put('quiet', 1);
    let stopped = false;
    const writing = (async () => {
      for (let n = 0; !stopped; n += 1) await writer.put(n % 4 === 0 ? 'busy.b' : 'busy.a', n);
    })();
    try {
      for (let round = 0; round < 12; round += 1) {
        const seen = new Set<string>();
        const watch = bucket.watch('>', ({ key }) => void seen.add(key));
        await watch.ready;
        expect(seen).toContain('quiet');
        await watch.stop();
      }
    } finally {
      stopped = true;
      await writing;
    }
  });

  it('reports entries that expired, though the server says nothing about it', async () => {
    const leases = await bus.kv(fleeting);
    const changes: string[] = [];
    const watch = leases.watch(`t${counter}.>`, (change) => void changes.push(`${change.key} ${change.kind}`));
    await watch.ready;
    // Seen while it lives: a machine that stalls longer than that has to write it again.
    await waitFor(async () => {
      if (changes.length === 0) await leases.put(`t${counter}.node`, 'alive');
      return changes.length > 0;
    });
    await waitFor(() => changes.at(-1) === `t${counter}.node delete`);
    expect(new Set(changes.slice(0, -1))).toEqual(new Set([`t${counter}.node put`]));
  });
});
