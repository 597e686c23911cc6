import { randomBytes } from 'node:crypto';
import { waitFor } from '@plexus/testing';
import type { Bootstrap, IncarnationKey, InstanceSpec, VmProvider } from '../../src/application/provider-port.js';
import type { ContractTraits, ContractWorld } from './contract-world.js';

const PATIENCE = { timeoutMs: 60_000 };

/** Secrets that can be found again wherever they may not be. */
function freshSecrets(): Bootstrap {
  const secret = (): string => randomBytes(24).toString('base64url');
  return { ticket: secret(), token: secret(), bootstrapSecret: secret(), modelApiKey: secret() };
}

/** The promises of every provider, as tests. `open` is called once; each test uses VMs of its own. */
export function describeProviderContract(name: string, traits: ContractTraits, open: () => Promise<ContractWorld>): void {
  describe(`the provider contract, kept by ${name}`, () => {
    let world: ContractWorld;
    let provider: VmProvider;
    let counter = 0;
    const opened: VmProvider[] = [];

    const fresh = (epoch = 1): IncarnationKey => {
      counter += 1;
      return { vmId: `vm-contract-${counter}`, epoch };
    };
    const specOf = (key: IncarnationKey, options: { userId?: string; bootstrap?: () => Promise<Bootstrap | undefined> } = {}): InstanceSpec => ({
      ...key,
      tenant: 'acme',
      userId: options.userId ?? 'me',
      bootstrap: options.bootstrap ?? (async () => freshSecrets()),
    });
    const restarted = async (): Promise<VmProvider> => {
      const next = await world.another();
      opened.push(next);
      return next;
    };
    const up = async (key: IncarnationKey): Promise<void> => {
      if (traits.runs) await waitFor(async () => (await world.received(key)) !== undefined, PATIENCE);
    };
    const start = async (key: IncarnationKey, userId = 'me'): Promise<void> => {
      await provider.create(specOf(key, { userId }));
      await up(key);
    };
    const isGone = async (key: IncarnationKey): Promise<boolean> => ['absent', 'exited'].includes((await provider.observe(key)).phase);
    const listed = async (from: VmProvider, { vmId, epoch }: IncarnationKey) =>
      (await from.list()).find((instance) => instance.vmId === vmId && instance.epoch === epoch);

    beforeAll(async () => {
      world = await open();
      provider = world.provider;
    });
    afterEach(async () => {
      for (const used of opened.splice(0)) await used.close();
      for (const instance of await provider.list()) await provider.destroy(instance, { force: true });
    });
    afterAll(() => world.stop());

    it('says what it is and promises', () => {
      expect(provider.name).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(provider.hostId).not.toBe('');
      expect(['none', 'namespace', 'container', 'microvm']).toContain(provider.capabilities.isolation);
      expect(provider.capabilities.pause).toBe(traits.workspace ? 'stop-keep-workspace' : 'none');
      expect(Math.min(...Object.values(provider.deadlines))).toBeGreaterThan(0);
    });

    it('knows nothing of what was never created', async () => {
      const key = fresh();
      expect((await provider.observe(key)).phase).toBe('absent');
      expect((await provider.destroy(key, { force: false })).phase).toBe('absent');
      expect(await listed(provider, key)).toBeUndefined();
    });

    it('creates an incarnation once, however often it is asked and by whom', async () => {
      const key = fresh();
      const first = await provider.create(specOf(key));
      await up(key);
      const second = await provider.create(specOf(key));
      const third = await (await restarted()).create(specOf(key));
      for (const outcome of [first, second, third]) expect(['starting', 'running']).toContain(outcome.phase);
      await waitFor(async () => (await provider.observe(key)).phase === 'running', PATIENCE);
      expect(await world.running(key)).toBe(1);
      expect(second.ref).toEqual(first.ref);
      expect(third.ref).toEqual(first.ref);
    });

    it('creates one when two ask at the same time, also from two processes', async () => {
      const key = fresh();
      const other = await restarted();
      const outcomes = await Promise.allSettled([provider, provider, other, other].map((asked) => asked.create(specOf(key))));
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
      await up(key);
      expect(await world.running(key)).toBe(1);
      expect((await provider.list()).filter(({ vmId }) => vmId === key.vmId)).toHaveLength(1);
    });

    it('shows what it created by the label of its cluster only, under a name that fits everywhere', async () => {
      const key = fresh();
      await start(key);
      const found = await waitFor(() => listed(provider, key), PATIENCE);
      expect(found.name.length).toBeLessThanOrEqual(63);
      expect(found.ageMs).toBeGreaterThanOrEqual(0);
      expect(found.ref).toEqual((await provider.observe(key)).ref);
      const stranger = await world.otherCluster();
      opened.push(stranger);
      expect(await listed(stranger, key)).toBeUndefined();
    });

    it('keeps VMs with similar ids apart', async () => {
      const stem = `vm-contract-${'x'.repeat(40)}`;
      const keys = ['a', 'b', 'ab'].map((end, index) => ({ vmId: `${stem}${end}`, epoch: index + 1 }));
      for (const key of keys) await start(key);
      const names = await Promise.all(keys.map(async (key) => (await waitFor(() => listed(provider, key), PATIENCE)).name));
      expect(new Set(names).size).toBe(keys.length);
      await provider.destroy(keys[0] as IncarnationKey, { force: true });
      expect(await Promise.all(keys.map((key) => world.running(key)))).toEqual([0, 1, 1]);
    });

    it('destroys once and for all, and a second time without complaint', async () => {
      const key = fresh();
      await start(key);
      for (const force of [false, true]) expect(['absent', 'exited']).toContain((await provider.destroy(key, { force, graceMs: 2_000 })).phase);
      expect(await isGone(key)).toBe(true);
      expect(await world.running(key)).toBe(0);
      expect(await listed(provider, key)).toBeUndefined();
    });

    it('never touches the current epoch on behalf of an old one', async () => {
      const old = fresh(4);
      const current = { ...old, epoch: 9 };
      await start(current);
      await provider.destroy(old, { force: true });
      expect(await provider.create(specOf(old))).toMatchObject({ phase: 'unknown' });
      expect(await isGone(old)).toBe(true);
      expect(await world.running(current)).toBe(1);
      expect(await world.running(old)).toBe(0);
    });

    it('refuses to destroy what is not exactly the instance that was named', async () => {
      const key = fresh();
      await start(key);
      const { ref } = await provider.observe(key);
      const wrong = Object.fromEntries(Object.entries(ref ?? {}).map(([field, value]) => [field, typeof value === 'number' ? value + 1 : `${value}0`]));
      await expect(provider.destroy(key, { force: true, ref: wrong })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
      expect(await world.running(key)).toBe(1);
      expect(['absent', 'exited']).toContain((await provider.destroy(key, { force: true, ref: ref ?? {} })).phase);
      expect(await world.running(key)).toBe(0);
    });

    it('lets another process find and end what its creator forgot', async () => {
      const key = fresh();
      await start(key);
      const other = await restarted();
      const orphan = await waitFor(() => listed(other, key), PATIENCE);
      await other.destroy(orphan, { force: true, ...(orphan.ref && { ref: orphan.ref }) });
      expect(await world.running(key)).toBe(0);
      expect(await isGone(key)).toBe(true);
    });

    it('knows the highest epoch that ever ran here, where anything remembers it', async () => {
      const key = fresh(4_711);
      await start(key);
      if (traits.runs) expect(await (await restarted()).highestEpoch()).toBeGreaterThanOrEqual(4_711);
      expect(await provider.highestEpoch()).toBeGreaterThanOrEqual(0);
    });

    it('refuses a template that it cannot honour rather than ignore a part of it', async () => {
      const key = fresh();
      const template = { environment: { VM_ID: 'somebody-else' } };
      await expect(provider.create({ ...specOf(key), template })).rejects.toMatchObject({ code: 'INVALID_SPEC', permanent: true });
      expect(await world.running(key)).toBe(0);
    });

    if (traits.runs) describeRunning();
    if (traits.workspace) describeWorkspaces();

    function describeRunning(): void {
      it('starts nothing when the secrets are refused: the claim was lost', async () => {
        const key = fresh();
        expect(await provider.create(specOf(key, { bootstrap: async () => undefined }))).toMatchObject({ phase: 'unknown' });
        expect(await world.running(key)).toBe(0);
      });

      it('leaves nothing that runs when minting the secrets fails, and can be asked again', async () => {
        const key = fresh();
        const failing = specOf(key, { bootstrap: () => Promise.reject(new Error('the database is away')) });
        await expect(provider.create(failing)).rejects.toThrow('the database is away');
        expect(await world.running(key)).toBe(0);
        await start(key);
        expect(await world.running(key)).toBe(1);
      });

      it('hands the secrets to the runtime and to nobody else', async () => {
        const key = fresh();
        const secrets = freshSecrets();
        const outcome = await provider.create(specOf(key, { bootstrap: async () => secrets }));
        await up(key);
        expect(await world.received(key)).toMatchObject(secrets);
        const readable = [
          await world.exposed(key),
          JSON.stringify([outcome, await provider.list()]),
          await provider.logs(key.vmId, { tailBytes: 65_536 }),
        ].join('\n');
        expect(readable).toContain(key.vmId);
        for (const secret of Object.values(secrets)) expect(readable).not.toContain(secret);
      });

      it('tells exit code and last words of a runtime that cannot start', async () => {
        const key = fresh();
        await provider.create(specOf(key, { userId: 'fails' }));
        const observed = await waitFor(async () => {
          const seen = await provider.observe(key);
          return seen.phase === 'exited' ? seen : undefined;
        }, PATIENCE);
        expect(observed).toMatchObject({ exitCode: 3, text: expect.stringContaining('no such model: gibberish') as string });
        expect(await provider.destroy(key, { force: false })).toMatchObject({ exitCode: 3 });
      });

      it('tells that a runtime was killed', async () => {
        const key = fresh();
        await start(key);
        await world.crash(key);
        const observed = await waitFor(async () => {
          const seen = await provider.observe(key);
          return seen.phase === 'exited' ? seen : undefined;
        }, PATIENCE);
        expect(observed.signal === 'SIGKILL' || observed.exitCode === 137).toBe(true);
      });

      it('calls for a look when one ends, again and again until it is destroyed, also in a process that did not start it', async () => {
        const key = fresh();
        await start(key);
        const other = await restarted();
        const calls: IncarnationKey[] = [];
        other.watch([key], ({ vmId, epoch }) => calls.push({ vmId, epoch }));
        await world.crash(key);
        await waitFor(() => calls.filter(({ vmId }) => vmId === key.vmId).length >= 2, PATIENCE);
        expect(calls.at(-1)).toEqual(key);
        await other.destroy(key, { force: false });
        other.watch([], () => undefined);
      });

      it('has the last words of the newest incarnation, and no more than was asked for', async () => {
        const key = fresh();
        await start(key);
        const logs = await waitFor(async () => (await provider.logs(key.vmId, { tailBytes: 4_096 })) || undefined, PATIENCE);
        expect(logs).toContain(`runtime of me, epoch ${key.epoch}, is up`);
        expect(Buffer.byteLength((await provider.logs(key.vmId, { tailBytes: 10 })) ?? '')).toBeLessThanOrEqual(10);
        expect(await provider.logs('vm-contract-never', { tailBytes: 10 })).toBeUndefined();
      });
    }

    function describeWorkspaces(): void {
      it('keeps the workspace across pauses, and removes it only when nothing runs in it', async () => {
        const key = fresh();
        for (let epoch = 1; epoch <= 3; epoch += 1) {
          const incarnation = { ...key, epoch };
          await start(incarnation);
          await world.write(key.vmId, `file-${epoch}.txt`, `written under ${epoch}`);
          await expect(provider.removeWorkspace(key.vmId)).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
          await provider.destroy(incarnation, { force: false, graceMs: 2_000 });
        }
        for (let epoch = 1; epoch <= 3; epoch += 1) expect(await world.read(key.vmId, `file-${epoch}.txt`)).toBe(`written under ${epoch}`);
        const workspace = (await provider.workspaces()).find(({ vmId }) => vmId === key.vmId);
        expect(workspace?.idleMs).toBeGreaterThanOrEqual(0);
        await provider.removeWorkspace(key.vmId);
        await provider.removeWorkspace(key.vmId);
        expect((await provider.workspaces()).map(({ vmId }) => vmId)).not.toContain(key.vmId);
        expect(await world.read(key.vmId, 'file-1.txt')).toBeUndefined();
      });
    }
  });
}
