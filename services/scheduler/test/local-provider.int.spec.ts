import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { marked, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { LocalProvider } from '../src/adapters/local/local-provider.js';
import { hostIdOf } from '../src/adapters/local/vm-folder.js';
import type { Bootstrap, IncarnationKey } from '../src/application/ports.js';
import { fixture } from './support/mesh.js';

const BOOTSTRAP: Bootstrap = { ticket: 't', token: 'k', bootstrapSecret: 's' };

describe('the local provider', () => {
  let folder: ThrowAwayFolder;
  let cluster: string;
  let counter = 0;
  const warnings: object[] = [];

  const provider = (entry = 'fake-runtime.mjs'): LocalProvider =>
    new LocalProvider({
      root: folder.path,
      runtimeEntry: fixture(entry),
      cluster,
      controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm',
      environment: { PATH: process.env.PATH ?? '' },
      log: { warn: (fields) => warnings.push(fields) },
    });
  const spec = (key: IncarnationKey, bootstrap: () => Promise<Bootstrap | undefined> = async () => BOOTSTRAP) => ({ ...key, userId: 'me', bootstrap });
  const fresh = (epoch = 1): IncarnationKey => {
    counter += 1;
    return { vmId: `vm-${counter}`, epoch };
  };
  const pids = (key: IncarnationKey): number[] =>
    marked(cluster)
      .map(({ pid }) => pid)
      .filter((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`VM_ID=${key.vmId}\0`));
  const up = (key: IncarnationKey) =>
    waitFor(
      () => JSON.parse(readFileSync(path.join(folder.path, key.vmId, 'workspace', `bootstrap-${key.epoch}.json`), 'utf8')) as { pid: number; tool?: number },
    );

  beforeAll(() => {
    folder = throwAwayFolder('local-provider');
    cluster = `test-${path.basename(folder.path)}`;
  });
  afterEach(async () => {
    const own = provider();
    for (const incarnation of await own.list()) await own.destroy(incarnation, { force: true });
  });
  afterAll(() => {
    expect(marked(cluster)).toEqual([]);
    folder.remove();
  });

  it('creates an incarnation once, however often it is asked and by whom', async () => {
    const key = fresh();
    const first = provider();
    await first.create(spec(key));
    await up(key);
    let issued = 0;
    const again = await provider().create(
      spec(key, async () => {
        issued += 1;
        return BOOTSTRAP;
      }),
    );
    expect(again.phase).toBe('running');
    expect(issued).toBe(0);
    expect(pids(key)).toHaveLength(1);
    expect(statSync(path.join(folder.path, key.vmId)).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(folder.path, key.vmId, 'instance.json')).mode & 0o777).toBe(0o600);
  });

  it('starts nothing without secrets: the claim was lost', async () => {
    const key = fresh();
    expect(await provider().create(spec(key, async () => undefined))).toMatchObject({ phase: 'unknown' });
    expect(pids(key)).toEqual([]);
    expect(await provider().observe(key)).toEqual({ phase: 'absent' });
  });

  it('replaces a process whose starter died before it had its secrets', async () => {
    const key = fresh();
    await provider().create(spec(key));
    const { pid } = await up(key);
    const file = path.join(folder.path, key.vmId, 'instance.json');
    const { handedOver: _, ...record } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify(record));
    expect(await provider().observe(key)).toEqual({ phase: 'absent' });
    await provider().create(spec(key));
    const next = await waitFor(async () => ((report) => (report.pid === pid ? undefined : report))(await up(key)));
    expect(pids(key)).toEqual([next.pid]);
  });

  it('replaces a process that is running without any record of it', async () => {
    const key = fresh();
    await provider().create(spec(key));
    const { pid } = await up(key);
    writeFileSync(path.join(folder.path, key.vmId, 'instance.json'), JSON.stringify({ name: 'x', ...key, nonce: 'n', createdAt: 'now' }));
    expect((await provider().list()).map(({ vmId, epoch }) => ({ vmId, epoch }))).toEqual([key]);
    await provider().create(spec(key));
    await waitFor(() => !pids(key).includes(pid) && pids(key).length === 1);
  });

  it('ends an incarnation with its tools, confirms it, and does nothing the second time', async () => {
    const key = fresh();
    const own = provider('fake-runtime-with-tool.mjs');
    await own.create(spec(key));
    const { pid, tool } = await up(key);
    expect(pids(key).sort()).toEqual([pid, tool].sort());
    expect(await own.destroy(key, { force: false })).toMatchObject({ phase: 'exited', exitCode: 0 });
    expect(pids(key)).toEqual([]);
    expect(await own.destroy(key, { force: false })).toMatchObject({ phase: 'exited' });
    expect(await own.observe(key)).toMatchObject({ phase: 'exited' });
  });

  it('ends the tools that a crashed runtime left behind', async () => {
    const key = fresh();
    const own = provider('fake-runtime-with-tool.mjs');
    await own.create(spec(key));
    const { pid, tool } = await up(key);
    process.kill(pid, 'SIGKILL');
    await waitFor(() => !pids(key).includes(pid));
    expect(pids(key)).toEqual([tool]);
    await own.destroy(key, { force: false });
    expect(pids(key)).toEqual([]);
  });

  it('kills what does not listen', async () => {
    const key = fresh();
    const own = provider();
    await own.create(spec(key));
    const { pid } = await up(key);
    process.kill(pid, 'SIGSTOP');
    expect(await own.destroy(key, { force: false, graceMs: 300 })).toMatchObject({ phase: 'exited', signal: 'SIGKILL' });
    expect(pids(key)).toEqual([]);
  });

  it('touches no other epoch of the same VM', async () => {
    const old = fresh(4);
    const current = { ...old, epoch: 9 };
    const own = provider();
    await own.create(spec(current));
    const { pid } = await up(current);
    expect(await own.destroy(old, { force: true })).toEqual({ phase: 'absent' });
    expect(await own.create(spec(old))).toMatchObject({ phase: 'unknown' });
    expect(await own.observe(old)).toEqual({ phase: 'absent' });
    expect(pids(current)).toEqual([pid]);
  });

  it('ends every earlier incarnation before it starts one: no two processes share a workspace', async () => {
    const first = fresh(7);
    await provider().create(spec(first));
    const old = await up(first);
    const next = { ...first, epoch: 8 };
    expect(await provider().create(spec(next))).toMatchObject({ phase: 'running' });
    const { pid } = await up(next);
    expect(pids(next)).toEqual([pid]);
    expect(pid).not.toBe(old.pid);
  });

  it('says that an incarnation is gone until somebody has acted on it, also of one that it did not start', async () => {
    const key = fresh();
    await provider().create(spec(key));
    const { pid } = await up(key);
    const other = provider();
    const gone: IncarnationKey[] = [];
    other.watch([key], (incarnation) => gone.push(incarnation));
    process.kill(pid, 'SIGKILL');
    await waitFor(() => gone.length >= 2, { timeoutMs: 60_000 });
    expect(gone[0]).toEqual(key);
    await other.destroy(key, { force: false });
    other.watch([], () => undefined);
    const { length } = gone;
    await provider().create(spec({ ...key, epoch: 2 }));
    await up({ ...key, epoch: 2 });
    expect(gone).toHaveLength(length);
  });

  it('keeps the log of a VM below its limit while the VM goes on writing', async () => {
    const key = fresh();
    const own = provider();
    await own.create(spec(key));
    await up(key);
    own.watch([key], () => undefined);
    const log = path.join(folder.path, key.vmId, 'runtime.log');
    appendFileSync(log, Buffer.alloc(5 * 1024 * 1024, 'x'));
    await waitFor(() => statSync(log).size < 1024 * 1024);
    own.watch([], () => undefined);
  });

  it('refuses an id that is no plain name', async () => {
    await expect(provider().observe({ vmId: '../../etc', epoch: 1 })).rejects.toThrow('not a VM id');
  });

  it('gives every replica on the same folder the same host id', () => {
    expect(hostIdOf(folder.path)).toBe(hostIdOf(folder.path));
    expect(hostIdOf(folder.path)).toMatch(/^host-[0-9a-f]{16}$/);
    expect(warnings).toEqual([]);
  });
});
