import type { Bucket, BucketChange } from '@plexus/bus';
import { FakeClock } from '@plexus/kernel';
import { createLogger } from '../log/create-logger.js';
import { WatchedTenantDirectory } from '../tenants/watched-tenant-directory.js';
import { changedPaths } from './changed-paths.js';
import { ConfigReload } from './config-reload.js';
import type { ConfigUpdate } from './reload-owner.js';

const log = createLogger({ service: 'spec', instanceId: 'spec', level: 'silent' });

/** A bucket of two keys that hands its changes to one watcher. */
class MemoryBucket {
  readonly name = 'PLEXUS_CONFIG';
  readonly entries = new Map<string, { key: string; value: Uint8Array; revision: number; json: <T>() => T }>();
  private revision = 0;
  private listener: (change: BucketChange) => unknown = () => undefined;

  put(key: string, document: unknown): number {
    this.revision += 1;
    const value = Buffer.from(JSON.stringify(document));
    const entry = { key, value, revision: this.revision, json: <T>() => document as T };
    this.entries.set(key, entry);
    void this.listener({ kind: 'put', key, entry });
    return this.revision;
  }

  get(key: string) {
    return Promise.resolve(this.entries.get(key));
  }

  keys() {
    return Promise.resolve([...this.entries.keys()]);
  }

  watch(_pattern: string, listener: (change: BucketChange) => unknown) {
    this.listener = listener;
    for (const [key, entry] of this.entries) void listener({ kind: 'put', key, entry });
    return { ready: Promise.resolve(), stop: async () => undefined };
  }
}

async function startReload({ service = 'gateway', first = {}, skipModules = [] as string[] } = {}) {
  const clock = new FakeClock();
  const bucket = new MemoryBucket();
  bucket.put('_', { tenants: { acme: {}, other: {} } });
  bucket.put('acme', first);
  const tenants = new WatchedTenantDirectory(log);
  await tenants.start(bucket as unknown as Bucket);
  const wanted: string[][] = [];
  const reload = new ConfigReload({
    service,
    tenants,
    clock,
    log,
    skipModules,
    onRestartWanted: (paths) => wanted.push([...paths]),
    onProgress: () => undefined,
  });
  reload.start();
  const progress = () => reload.progressOf('acme');
  return { clock, bucket, tenants, reload, wanted, progress, put: (document: unknown) => bucket.put('acme', document) };
}

const cron = (text: string) => ({ jobs: [{ id: 'a', everyMs: 60_000, message: text }] });

describe('a reload', () => {
  it('waits for quiet: ten changes in 200 ms are one pass, 300 ms behind the last', async () => {
    const { clock, tenants, reload, put } = await startReload();
    const seen: ConfigUpdate[] = [];
    await reload.onConfig(['hooks'], 'hooks', (update) => void seen.push(update));
    for (let n = 1; n <= 10; n += 1) {
      put({ hooks: { enabled: n % 2 === 0 }, defaultOwner: `owner-${n}` });
      await clock.advance(20);
    }
    await clock.advance(270);
    expect([tenants.get('acme')?.defaultOwner, seen.length]).toEqual([undefined, 0]);
    await clock.advance(20);
    expect(tenants.snapshot('acme')).toMatchObject({ revision: 12, config: { defaultOwner: 'owner-10' } });
    expect(seen).toEqual([expect.objectContaining({ tenant: 'acme', revision: 12, paths: ['hooks.enabled'], before: expect.anything() })]);
  });

  it('is not put off for ever by changes that keep coming', async () => {
    const { clock, tenants, put } = await startReload();
    for (let n = 0; n < 12; n += 1) {
      put({ defaultOwner: `owner-${n}` });
      await clock.advance(100);
    }
    expect(tenants.get('acme')?.defaultOwner).toBeDefined();
  });

  it('gives each message one version: a snapshot that was taken never changes', async () => {
    const { clock, tenants, put } = await startReload({ first: { defaultOwner: 'before' } });
    const pinned = tenants.snapshot('acme');
    put({ defaultOwner: 'after' });
    await clock.advance(300);
    expect([pinned?.config.defaultOwner, pinned?.revision, tenants.get('acme')?.defaultOwner, tenants.revisionOf('acme')]).toEqual(['before', 2, 'after', 3]);
    expect(Object.isFrozen(pinned) && Object.isFrozen(pinned?.config)).toBe(true);
    expect(tenants.revisionOf('other')).toBe(0);
  });

  it('lets every owner succeed or fail on its own, tries the failed one again with growing pauses, and against the newest version', async () => {
    const { clock, reload, put, progress } = await startReload();
    const hooks: number[] = [];
    const tries: [revision: number, paths: readonly string[]][] = [];
    let broken = true;
    await reload.onConfig(['hooks'], 'hooks', ({ revision }) => void hooks.push(revision));
    await reload.onConfig(['cron'], 'cron', ({ revision, paths }) => {
      tries.push([revision, paths]);
      if (broken) throw new Error('the scheduler is away');
    });
    put({ hooks: { enabled: true }, cron: cron('one') });
    await clock.advance(300);
    expect(hooks).toEqual([3]);
    expect(progress()).toMatchObject({ desiredRevision: 3, appliedRevision: 2, failed: [{ owner: 'cron', message: 'the scheduler is away', attempts: 1 }] });
    expect(reload.degraded()).toEqual([{ module: 'cron', reason: expect.stringContaining('the scheduler is away') }]);
    await clock.advance(10_000);
    const attempts = tries.length;
    expect(attempts).toBeGreaterThan(1);
    expect(attempts).toBeLessThan(12);
    broken = false;
    put({ hooks: { enabled: true }, cron: cron('two') });
    await clock.advance(300);
    expect(tries.at(-1)).toEqual([4, ['cron.jobs']]);
    expect(progress()).toMatchObject({ appliedRevision: 4, failed: [] });
    expect([hooks, reload.degraded(), clock.pending]).toEqual([[3], [], 0]);
  });

  it('keeps what needs a restart pending over later changes, until it is taken back; hot mode does not ask for it, hybrid does', async () => {
    const { clock, reload, put, progress, wanted, tenants } = await startReload({ first: { gateway: { reload: { mode: 'hot' } } } });
    const hooks: number[] = [];
    await reload.onConfig(['hooks'], 'hooks', ({ revision }) => void hooks.push(revision));
    const plugins = { plugins: { load: { paths: ['/opt/more'] } } };
    put({ gateway: { reload: { mode: 'hot' } }, hooks: { enabled: true }, ...plugins });
    await clock.advance(300);
    expect(hooks).toEqual([3]);
    put({ gateway: { reload: { mode: 'hot' } }, hooks: { enabled: true }, defaultOwner: 'x', ...plugins });
    await clock.advance(300);
    expect(progress()?.pendingRestart).toEqual(['plugins.load.paths']);
    expect([wanted.at(-1), tenants.get('acme')?.defaultOwner]).toEqual([[], 'x']);
    put({ gateway: { reload: { mode: 'hybrid' } }, ...plugins });
    await clock.advance(300);
    expect(wanted.at(-1)).toEqual(['plugins.load.paths']);
    put({});
    await clock.advance(300);
    expect([wanted.at(-1), progress()?.pendingRestart]).toEqual([[], []]);
  });

  it('restarts only whom a change concerns', async () => {
    const { clock, put, wanted } = await startReload({ service: 'memory' });
    put({ plugins: { load: { paths: ['/opt/more'] } }, hooks: { enabled: true }, bindings: [], session: { mainKey: 'x' } });
    await clock.advance(300);
    expect(wanted).toEqual([[]]);
  });

  it('holds everything back in mode off, and takes it when the mode changes', async () => {
    const { clock, tenants, put, progress, wanted } = await startReload({ first: { gateway: { reload: { mode: 'off' } } } });
    put({ gateway: { reload: { mode: 'off' } }, defaultOwner: 'later' });
    await clock.advance(300);
    expect([tenants.get('acme')?.defaultOwner, progress()?.pendingRestart, progress()?.appliedRevision, wanted.at(-1)]).toEqual([
      undefined,
      ['defaultOwner'],
      2,
      [],
    ]);
    put({ defaultOwner: 'later' });
    await clock.advance(300);
    expect([tenants.get('acme')?.defaultOwner, progress()?.pendingRestart]).toEqual(['later', []]);
  });

  it('asks for a restart instead of a hot change in mode restart', async () => {
    const { clock, reload, put, wanted } = await startReload({ first: { gateway: { reload: { mode: 'restart' } } } });
    const hooks: number[] = [];
    await reload.onConfig(['hooks'], 'hooks', ({ revision }) => void hooks.push(revision));
    put({ gateway: { reload: { mode: 'restart' } }, hooks: { enabled: true } });
    await clock.advance(300);
    expect([hooks, wanted.at(-1)]).toEqual([[], ['hooks.enabled']]);
  });

  it('does nothing because of bookkeeping, or a document that says the same', async () => {
    const { clock, reload, put, wanted, progress } = await startReload({ first: { hooks: { enabled: true } } });
    const seen: ConfigUpdate[] = [];
    await reload.onConfig(['hooks', 'meta'], 'hooks', (update) => void seen.push(update));
    put({ hooks: { enabled: true }, meta: { lastTouchedBy: 'somebody' } });
    await clock.advance(300);
    put({ meta: { lastTouchedBy: 'somebody else' }, hooks: { enabled: true } });
    await clock.advance(300);
    expect(seen.filter(({ paths }) => paths.some((path) => !path.startsWith('meta')))).toEqual([]);
    expect([wanted.flat(), progress()?.appliedRevision]).toEqual([[], 4]);
  });

  it('takes the first word about a section for what it says, not for the whole section', () => {
    expect(changedPaths({}, { gateway: { reload: { mode: 'hot' } } })).toEqual(['gateway.reload.mode']);
    expect(changedPaths({ gateway: { reload: { mode: 'hot' } } }, {})).toEqual(['gateway.reload.mode']);
    expect(changedPaths({ a: {} }, { b: {} })).toEqual([]);
    expect(changedPaths({ a: [{ x: 1 }], b: 1 }, { a: [{ x: 1 }], b: { c: 2 } })).toEqual(['b']);
    expect(changedPaths(1, {})).toEqual(['<root>']);
  });

  it('keeps the last valid document and says which one it refused, and why', async () => {
    const { clock, tenants, put, progress } = await startReload({ first: { defaultOwner: 'good' } });
    put({ agents: { list: [{ id: 'Not Legal' }] } });
    await clock.advance(300);
    expect(tenants.get('acme')?.defaultOwner).toBe('good');
    expect(progress()).toMatchObject({ appliedRevision: 2, desiredRevision: 2, rejected: { revision: 3, issues: [{ path: 'agents.list.0.id' }] } });
    put({ defaultOwner: 'better' });
    await clock.advance(300);
    expect(progress()).toEqual({ appliedRevision: 4, desiredRevision: 4, pendingRestart: [], failed: [] });
  });

  it('makes another pass for a change that comes during one', async () => {
    const { clock, reload, put } = await startReload();
    const seen: number[] = [];
    let release: () => void = () => undefined;
    await reload.onConfig(['hooks'], 'hooks', ({ revision }) => {
      seen.push(revision);
      return revision === 3 ? new Promise<void>((resolve) => (release = resolve)) : undefined;
    });
    put({ hooks: { enabled: true } });
    await clock.advance(300);
    put({ hooks: { enabled: false } });
    await clock.advance(300);
    expect(seen).toEqual([3]);
    release();
    await reload.idle();
    expect(seen).toEqual([3, 4]);
  });

  it('tells a part of a tenant that is new only what differs from the defaults', async () => {
    const { clock, bucket, reload } = await startReload();
    const seen: ConfigUpdate[] = [];
    await reload.onConfig(['hooks'], 'hooks', (update) => void seen.push(update));
    bucket.put('other', { defaultOwner: 'x' });
    await clock.advance(300);
    expect(seen).toEqual([]);
    bucket.put('other', { hooks: { enabled: true } });
    await clock.advance(300);
    expect(seen).toEqual([expect.objectContaining({ tenant: 'other', paths: ['hooks.enabled'], before: expect.anything() })]);
  });

  it('leaves named parts out, and a full reload hands everything to the others again', async () => {
    const { reload, put, clock } = await startReload({ first: { hooks: { enabled: true } }, skipModules: ['cron'] });
    const seen: string[] = [];
    await reload.onConfig(['cron'], 'cron', () => void seen.push('cron'), { initial: true });
    await reload.onConfig(['hooks'], 'hooks', ({ before }) => void seen.push(before === undefined ? 'hooks at first' : 'hooks'), { initial: true });
    put({ cron: cron('x'), hooks: { enabled: true } });
    await clock.advance(300);
    await reload.reloadAll();
    expect(seen).toEqual(['hooks at first', 'hooks']);
    expect(reload.degraded()).toEqual([{ module: 'cron', reason: expect.stringContaining('PLEXUS_SKIP_MODULES') }]);
  });

  it('applies one version at a time with a full reload and a first call as well: the newest is always the last', async () => {
    const { clock, reload, put } = await startReload({ first: { hooks: { enabled: true } } });
    const ends: string[] = [];
    const releases: (() => void)[] = [];
    let active = 0;
    let most = 0;
    const first = reload.onConfig(
      ['hooks'],
      'hooks',
      async ({ revision }) => {
        most = Math.max(most, ++active);
        await new Promise<void>((resolve) => releases.push(resolve));
        active -= 1;
        ends.push(`${revision}`);
      },
      { initial: true },
    );
    await clock.advance(0);
    put({ hooks: { enabled: false } });
    await clock.advance(300);
    const full = reload.reloadAll();
    await clock.advance(0);
    put({ hooks: { enabled: true } });
    await clock.advance(300);
    // Whatever runs at the same time ends youngest first: the older must not be the last word.
    let over = false;
    void Promise.all([first, full, reload.idle()]).then(() => {
      over = true;
    });
    while (!over) {
      releases.pop()?.();
      await clock.advance(0);
    }
    expect([most, ends.at(-1)]).toEqual([1, '4']);
  });

  it('tries a full reload that failed again in full', async () => {
    const { clock, reload, progress } = await startReload({ first: { hooks: { enabled: true } } });
    let calls = 0;
    let broken = false;
    await reload.onConfig(['hooks'], 'hooks', () => {
      calls += 1;
      if (broken) throw new Error('the hooks are away');
    });
    broken = true;
    await reload.reloadAll();
    expect([calls, progress()?.failed.length]).toEqual([1, 1]);
    await clock.advance(10_000);
    expect(calls).toBeGreaterThan(1);
    expect(progress()?.failed).toHaveLength(1);
    broken = false;
    await clock.advance(120_000);
    expect(progress()?.failed).toEqual([]);
  });

  it('never lets one tenant wait for an owner that hangs over the configuration of another', async () => {
    const { clock, bucket, reload, tenants, put } = await startReload();
    const applied: string[] = [];
    await reload.onConfig(['hooks'], 'hooks', ({ tenant }) => {
      if (tenant === 'acme') return new Promise<void>(() => undefined);
      applied.push(tenant);
      return undefined;
    });
    put({ hooks: { enabled: true } });
    await clock.advance(300);
    bucket.put('other', { hooks: { enabled: true } });
    await clock.advance(300);
    expect([applied, tenants.revisionOf('other')]).toEqual([['other'], 4]);
    // Neither does a full reload of everybody.
    void reload.reloadAll();
    await clock.advance(0);
    expect(applied).toEqual(['other', 'other']);
  });

  it('tells a failure of one tenant to that tenant alone', async () => {
    const { clock, reload, put } = await startReload({ skipModules: ['cron'] });
    await reload.onConfig(['cron'], 'cron', () => undefined);
    await reload.onConfig(['hooks'], 'hooks', () => {
      throw new Error('connect ECONNREFUSED db-of-acme');
    });
    put({ hooks: { enabled: true } });
    await clock.advance(300);
    expect(reload.degraded().map(({ module }) => module)).toEqual(['cron', 'hooks']);
    expect(reload.leftOut()).toEqual([{ module: 'cron', reason: expect.stringContaining('PLEXUS_SKIP_MODULES') }]);
  });
});
