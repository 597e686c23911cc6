import { createHash } from 'node:crypto';
import type { Bucket, BucketChange } from '@plexus/bus';
import { FakeClock } from '@plexus/kernel';
import { createLogger } from '../log/create-logger.js';
import { WatchedTenantDirectory } from './watched-tenant-directory.js';

const log = createLogger({ service: 'spec', instanceId: 'spec', level: 'silent' });
const HASH = 'a'.repeat(64);

function entryOf(key: string, revision: number, content: unknown) {
  return { key, revision, value: Buffer.from(JSON.stringify(content)), json: <T>() => content as T };
}

async function startDirectory(options: { readonly parts?: Partial<Bucket>; readonly get?: Bucket['get'] } = {}) {
  const clock = new FakeClock();
  let listener: (change: BucketChange) => unknown = () => undefined;
  const entries = {
    name: 'PLEXUS_CONFIG',
    get: options.get ?? (async () => undefined),
    keys: async () => ['acme'],
    watch: (_pattern: string, fn: typeof listener) => {
      listener = fn;
      return { ready: Promise.resolve(), stop: async () => undefined };
    },
  };
  const tenants = new WatchedTenantDirectory(log, clock);
  await tenants.start(entries as unknown as Bucket, (options.parts ?? entries) as Bucket);
  const put = async (key: string, revision: number, content: unknown): Promise<void> => {
    await listener({ kind: 'put', key, entry: entryOf(key, revision, content) });
  };
  await put('_', 1, { tenants: { acme: {} } });
  return { clock, tenants, put };
}

describe('a tenant directory', () => {
  it('goes on reading a document whose parts cannot be read, until they can', async () => {
    const document = Buffer.from(JSON.stringify({ defaultOwner: 'anna' }));
    let broken = true;
    const parts = {
      get: async () => {
        if (broken) throw new Error('no leader');
        return entryOf('part', 1, { defaultOwner: 'anna' });
      },
    };
    const { clock, tenants, put } = await startDirectory({ parts: parts as unknown as Bucket });
    const storedDocument = { prefix: 'acme.0.x', parts: 1, bytes: document.length, sha256: createHash('sha256').update(document).digest('hex') };
    const record = { format: 1, kind: 'apply', hash: HASH, at: 'now', by: 'ada', credentialId: 'c', changedPaths: [], bytes: 1, storedDocument };
    const heard = put('acme', 2, { $plexus: record });
    await clock.advance(600_000);
    await heard;
    expect([tenants.get('acme')?.defaultOwner, tenants.rejectedOf('acme')?.issues[0]?.code]).toEqual([undefined, 'parts_unreadable']);
    broken = false;
    await clock.advance(60_000);
    expect([tenants.get('acme')?.defaultOwner, tenants.revisionOf('acme'), tenants.rejectedOf('acme')]).toEqual(['anna', 2, undefined]);
    expect(clock.pending).toBe(0);
  });

  it('stops trying when it is stopped', async () => {
    const parts = {
      get: async () => {
        throw new Error('no leader');
      },
    };
    const { clock, tenants, put } = await startDirectory({ parts: parts as unknown as Bucket });
    const storedDocument = { prefix: 'acme.0.x', parts: 1, bytes: 1, sha256: HASH };
    const record = { format: 1, kind: 'apply', hash: HASH, at: 'now', by: 'ada', credentialId: 'c', changedPaths: [], bytes: 1, storedDocument };
    const heard = put('acme', 2, { $plexus: record });
    await clock.advance(10_000);
    await heard;
    expect(clock.pending).toBe(1);
    await tenants.stop();
    expect(clock.pending).toBe(0);
  });

  it('never goes back to an older revision because a read of everything was slow', async () => {
    let answer: () => void = () => undefined;
    const get = (): Promise<ReturnType<typeof entryOf>> =>
      new Promise((resolve) => {
        answer = () => resolve(entryOf('acme', 2, { defaultOwner: 'old' }));
      });
    const { clock, tenants, put } = await startDirectory({ get });
    await put('acme', 2, { defaultOwner: 'old' });
    const reread = tenants.reread();
    await clock.advance(0);
    const heard = put('acme', 3, { defaultOwner: 'new' });
    await clock.advance(0);
    answer();
    await Promise.all([reread, heard]);
    expect([tenants.get('acme')?.defaultOwner, tenants.revisionOf('acme')]).toEqual(['new', 3]);
    // A server that is behind answers with what was before.
    const again = tenants.reread();
    await clock.advance(0);
    answer();
    await again;
    expect(tenants.revisionOf('acme')).toBe(3);
  });
});
