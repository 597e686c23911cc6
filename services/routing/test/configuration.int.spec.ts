import { configHash } from '@plexus/agent-config';
import { BUCKETS, configContracts as rpc, type configContracts } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { storeParts } from '@plexus/service-kit';
import { resolveRoute } from '@plexus/routing-core';
import { waitFor } from '@plexus/testing';
import { TenantSettings } from '../src/application/tenant-settings.js';
import { type ConfigMesh, startConfigMesh } from './support/config-mesh.js';

const failure = (promise: Promise<unknown>): Promise<PlexusError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => (PlexusError.isPlexusError(error) ? error : Promise.reject(error)),
  );

const JSON5_TEXT = `// The agents of the night shift
{
  agents: { list: [{ id: 'main', default: true }, { id: 'ops', name: "Night" }] },
  session: { dmScope: 'per-peer' }, // one conversation each
}
`;

describe('the configuration of a tenant', () => {
  let mesh: ConfigMesh;
  beforeAll(async () => {
    mesh = await startConfigMesh(3);
  }, 180_000);
  afterAll(() => mesh.stop());
  beforeEach(async () => {
    await mesh.bucket.delete('acme');
  });
  const current = () => mesh.call(rpc.getConfig, {});

  it('is empty and has a hash before anybody wrote one', async () => {
    expect(await current()).toEqual({ revision: 0, hash: configHash({}), text: '{}', exists: false });
  });

  it('keeps the text byte for byte, and a rollback brings exactly those bytes back', async () => {
    const first = await mesh.apply(JSON5_TEXT);
    await mesh.call(rpc.patchConfig, { patch: { session: null }, baseHash: first.hash });
    expect((await current()).text).not.toContain('night shift');
    const back = await mesh.call(rpc.rollbackConfig, { revision: first.revision });
    expect(back).toMatchObject({ changed: true, hash: first.hash, changedPaths: ['session'] });
    expect(await current()).toMatchObject({ text: JSON5_TEXT, hash: first.hash, revision: back.revision, by: 'ada' });
    const { entries } = await mesh.call(rpc.configHistory, {});
    expect(entries.slice(0, 3).map(({ kind, by, hash }) => [kind, by, hash === first.hash])).toEqual([
      ['rollback', 'ada', true],
      ['patch', 'ada', false],
      ['apply', 'ada', true],
    ]);
  });

  it('is not replaced by an invalid one; every issue names its path', async () => {
    const before = await mesh.apply(JSON5_TEXT);
    const text = "{agents: {list: [{id: 'Main'}, {id: 'a', modle: 'x'}]}, bindings: [{agentId: 'ghost', match: {channel: 'telegram'}}], surprise: 1}";
    const error = await failure(mesh.call(rpc.applyConfig, { text, baseRevision: before.revision }));
    expect(error).toMatchObject({ code: 'CONFIG_REJECTED', status: 422 });
    const issues = error.details?.issues as configContracts.ConfigProblem[];
    expect(issues.map(({ path }) => path)).toEqual(expect.arrayContaining(['agents.list.0.id', 'agents.list.1.modle', 'bindings.0.agentId', 'surprise']));
    expect((await current()).revision).toBe(before.revision);
    const syntax = await failure(mesh.call(rpc.applyConfig, { text: '{agents: ', force: true }));
    expect(syntax.code).toBe('CONFIG_REJECTED');
    expect(await mesh.call(rpc.checkConfig, { text })).toMatchObject({ valid: false, conflicts: [] });
  });

  it('is not written by whoever did not see the newest: hash, revision, and nothing at all', async () => {
    const before = await mesh.apply('{}');
    const patch = { session: { mainKey: 'home' } };
    await mesh.call(rpc.patchConfig, { patch, baseHash: before.hash });
    expect(await failure(mesh.call(rpc.patchConfig, { patch: { session: null }, baseHash: before.hash }))).toMatchObject({ code: 'CONFLICT' });
    expect(await failure(mesh.call(rpc.applyConfig, { text: '{}', baseRevision: before.revision }))).toMatchObject({ code: 'CONFLICT' });
    expect(await failure(mesh.call(rpc.applyConfig, { text: '{}' }))).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('takes exactly one of many writers that saw the same revision, over three replicas', async () => {
    const base = await mesh.apply('{}');
    const writes = Array.from({ length: 30 }, (_, n) => mesh.call(rpc.patchConfig, { patch: { defaultOwner: `owner-${n}` }, baseHash: base.hash }));
    const outcomes = await Promise.allSettled(writes);
    const won = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []));
    expect(won).toHaveLength(1);
    const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [(outcome.reason as PlexusError).code] : []));
    expect(new Set(codes)).toEqual(new Set(['CONFLICT']));
    expect((await current()).text).toBe(JSON.stringify({ defaultOwner: `owner-${won[0]}` }));
  });

  it('writes nothing when nothing changes', async () => {
    const before = await mesh.apply(JSON5_TEXT);
    expect(await mesh.apply(JSON5_TEXT)).toMatchObject({ changed: false, revision: before.revision });
    expect(await mesh.call(rpc.patchConfig, { patch: {}, baseHash: before.hash })).toMatchObject({ changed: false });
  });

  it('is read with operator.read and written with operator.admin, never across tenants, never as the platform', async () => {
    const reader = { role: 'user' as const, scopes: ['operator.read'] };
    await mesh.apply('{}');
    expect((await mesh.call(rpc.getConfig, {}, reader)).exists).toBe(true);
    expect(await failure(mesh.call(rpc.applyConfig, { text: '{}', force: true }, reader))).toMatchObject({ code: 'MISSING_SCOPE' });
    expect(await failure(mesh.call(rpc.getConfig, {}, { role: 'user', scopes: [] }))).toMatchObject({ code: 'MISSING_SCOPE' });
    expect((await mesh.call(rpc.getConfig, {}, { tenant: 'other' })).exists).toBe(false);
    const { revision } = await current();
    expect(await failure(mesh.call(rpc.getConfig, { revision }, { tenant: 'other' }))).toMatchObject({ code: 'NOT_FOUND' });
    const stored = await storeParts(await mesh.bus.kv(BUCKETS.configParts), 'acme.upload.x', Buffer.from('{}'));
    expect(await failure(mesh.call(rpc.checkConfig, { stored }, { tenant: 'other' }))).toMatchObject({ code: 'TENANT_MISMATCH' });
    expect(await failure(mesh.call(rpc.getConfig, {}, { tenant: '_', role: 'operator' }))).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('shows differences with what stood and stands there; secrets are replaced, references are not', async () => {
    const provider = (apiKey: unknown) => ({ models: { providers: { acme: { baseUrl: 'https://models.test/v1', apiKey } } } });
    // Around the service: a document that it would have refused.
    const from = await mesh.bucket.put('acme', provider('sk-plain-secret-0123456789'));
    const to = await mesh.apply(JSON.stringify(provider({ env: 'ACME_KEY' })));
    const { differences } = await mesh.call(rpc.diffConfig, { from, to: to.revision });
    expect(differences).toEqual([{ path: 'models.providers.acme.apiKey', before: '[redacted]', after: { env: 'ACME_KEY' } }]);
    const draft = await mesh.call(rpc.diffConfig, { text: '{}' });
    expect(draft.differences.map(({ path }) => path)).toEqual(['models']);
  });

  it('may be larger than a message: it travels in parts, comes back byte for byte, and reaches every replica', async () => {
    const list = Array.from({ length: 16 }, (_, n) => ({ id: `agent-${n}`, systemPrompt: `${n} `.repeat(33_000).slice(0, 90_000) }));
    const text = `// large\n${JSON.stringify({ agents: { list } }, undefined, 1)}`;
    expect(text.length).toBeGreaterThan(1024 * 1024);
    const parts = await mesh.bus.kv(BUCKETS.configParts);
    const stored = await storeParts(parts, 'acme.upload.large', Buffer.from(text));
    const written = await mesh.call(rpc.applyConfig, { stored, force: true });
    const read = await mesh.call(rpc.getConfig, {});
    expect([read.text, read.stored?.bytes]).toEqual([undefined, Buffer.byteLength(text)]);
    expect(read.stored?.prefix).toContain(written.hash);
    await waitFor(() => mesh.replicas.every(({ context }) => context.tenants.get('acme')?.agents.list.length === 16), {
      timeoutMs: 60_000,
      what: '16 agents in every replica',
    });
    const small = await mesh.apply('{}');
    await mesh.call(rpc.rollbackConfig, { revision: written.revision, baseRevision: small.revision });
    expect((await mesh.call(rpc.getConfig, {})).stored?.sha256).toBe(read.stored?.sha256);
    expect(await failure(mesh.call(rpc.applyConfig, { stored: { ...stored, sha256: 'f'.repeat(64) }, force: true }))).toMatchObject({ code: 'NOT_FOUND' });
  }, 180_000);

  it('reaches every replica, and no snapshot ever mixes two versions', async () => {
    // Everything in a version names it: a mixture would show.
    const version = (n: number) => ({
      agents: {
        list: [
          { id: 'main', default: true },
          { id: `v${n}`, name: `v${n}` },
        ],
      },
      bindings: [{ agentId: `v${n}`, match: { channel: 'telegram' } }],
      defaultOwner: `v${n}`,
      gateway: { reload: { debounceMs: n % 3 } },
    });
    const written = new Map<number, string>();
    let running = true;
    let looks = 0;
    const watch = async (replica: ConfigMesh['replicas'][number]): Promise<void> => {
      let last = 0;
      while (running) {
        const pinned = replica.context.tenants.snapshot('acme');
        await new Promise((resolve) => setImmediate(resolve));
        looks += 1;
        if (pinned === undefined || pinned.config.bindings.length === 0) continue;
        const { config, revision } = pinned;
        const names = [config.defaultOwner, config.bindings[0]?.agentId, config.agents.list[1]?.id, config.agents.list[1]?.name];
        expect(new Set(names).size).toBe(1);
        if (written.has(revision)) expect(written.get(revision)).toBe(config.defaultOwner);
        expect(revision).toBeGreaterThanOrEqual(last);
        last = revision;
      }
    };
    const watching = Promise.all(mesh.replicas.map(watch));
    for (let n = 0; n < 40; n += 1) written.set((await mesh.apply(JSON.stringify(version(n)))).revision, `v${n}`);
    await waitFor(() => mesh.replicas.every(({ context }) => context.tenants.get('acme')?.defaultOwner === 'v39'), {
      timeoutMs: 60_000,
      what: 'the last version in every replica',
    });
    running = false;
    await watching;
    expect(looks).toBeGreaterThan(100);
  }, 180_000);

  it('is what every replica routes by, without a restart', async () => {
    const routing = mesh.replicas.map(({ context }) => new TenantSettings((tenant) => context.tenants.snapshot(tenant)));
    const routes = (): string[] =>
      routing.map(
        (settings) => resolveRoute(settings.routes(settings.get('acme')), { channel: 'telegram', accountId: 'biz', peer: { kind: 'direct', id: '7' } }).agentId,
      );
    const agents = { list: [{ id: 'main', default: true }, { id: 'sales' }] };
    for (const agentId of ['main', 'sales', 'main']) {
      const { revision } = await mesh.apply(JSON.stringify({ agents, bindings: [{ agentId, match: { channel: 'telegram', accountId: 'biz' } }] }));
      await waitFor(() => routes().every((routed) => routed === agentId) && routing.every((settings) => settings.get('acme').revision === revision), {
        timeoutMs: 60_000,
        what: `every replica to route to ${agentId}`,
      });
    }
  }, 180_000);

  it('says who changed what, as an event and in a bounded history', async () => {
    const events: { revision: number; changedPaths: string[]; by: string }[] = [];
    const reading = mesh.bus.readOrdered('PLEXUS_EVT_CONFIG', { filter: 'plexus.evt.acme.config.changed.v1.>', from: 'new' }, (message) => {
      events.push(message.json<{ data: (typeof events)[number] }>().data);
    });
    await reading.ready;
    for (let n = 0; n < 70; n += 1) {
      // Reading goes on while others write and old revisions leave.
      const [, during] = await Promise.all([mesh.apply(`{defaultOwner: 'owner-${n}'}`), mesh.call(rpc.configHistory, { limit: 50 })]);
      expect(during.entries.length).toBeGreaterThan(0);
    }
    await waitFor(() => events.length >= 70, { timeoutMs: 60_000, what: '70 events' });
    await reading.stop();
    expect(new Set(events.map(({ revision }) => revision)).size).toBe(70);
    expect(events.find(({ revision }) => revision === Math.max(...events.map((event) => event.revision)))).toMatchObject({
      by: 'ada',
      changedPaths: ['defaultOwner'],
    });
    const { entries } = await mesh.call(rpc.configHistory, { limit: 50 });
    expect(entries).toHaveLength(50);
    expect(entries.map(({ revision }) => revision)).toEqual(entries.map(({ revision }) => revision).sort((a, b) => b - a));
  }, 180_000);

  it('reports every process: applied everywhere, and which one holds an invalid document back', async () => {
    const { revision } = await mesh.apply("{defaultOwner: 'status'}");
    const status = () => mesh.call(rpc.configStatus, {});
    await waitFor(async () => (await status()).converged, { timeoutMs: 60_000, what: 'convergence' });
    const { replicas } = await status();
    expect(replicas.map(({ service, progress }) => [service, progress?.appliedRevision])).toEqual([
      ['gateway', revision],
      ['routing', revision],
      ['routing', revision],
      ['routing', revision],
    ]);
    const broken = await mesh.bucket.put('acme', { agents: { list: [{ id: 'A B' }] } });
    const rejected = await waitFor(
      async () => {
        const all = (await status()).replicas;
        return all.every(({ progress }) => progress?.rejected?.revision === broken) ? all : undefined;
      },
      { timeoutMs: 60_000, what: 'four rejections' },
    );
    expect(rejected[0]?.progress).toMatchObject({ appliedRevision: revision, rejected: { issues: [{ path: 'agents.list.0.id' }] } });
  }, 180_000);

  it('tells failures of one tenant to that tenant alone', async () => {
    const { revision } = await mesh.apply("{hooks: {enabled: true}, defaultOwner: 'failing'}");
    const [replica] = mesh.replicas;
    await replica?.context.reload.onConfig(
      ['hooks'],
      'hooks',
      () => {
        throw new Error('connect ECONNREFUSED db-of-acme');
      },
      { initial: true },
    );
    const statusOf = (tenant: string) => mesh.call(rpc.configStatus, {}, { tenant });
    const failing = await waitFor(
      async () => {
        const found = (await statusOf('acme')).replicas.find(({ progress }) => (progress?.failed.length ?? 0) > 0);
        return found?.progress?.desiredRevision === revision ? found : undefined;
      },
      { timeoutMs: 60_000, what: 'the failure to be told' },
    );
    expect(failing.degraded).toEqual([{ module: 'hooks', reason: 'connect ECONNREFUSED db-of-acme' }]);
    const other = await statusOf('other');
    expect(other.converged).toBe(true);
    expect(JSON.stringify(other)).not.toContain('acme');
  }, 180_000);
});
