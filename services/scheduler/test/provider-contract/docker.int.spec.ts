import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { DockerEngine } from '../../src/adapters/docker/docker-engine.js';
import { DockerProvider } from '../../src/adapters/docker/docker-provider.js';
import type { Bootstrap, IncarnationKey, InstanceSpec } from '../../src/application/provider-port.js';
import { DockerStandIn, type StandInContainer } from '../support/docker-stand-in.js';
import { fixture } from '../support/mesh.js';
import { describeProviderContract } from './provider-contract.js';

const IMAGE = 'plexus-runtime:test';
const warnings: string[] = [];

function openProvider(engine: string | DockerEngine, cluster = 'test'): DockerProvider {
  return new DockerProvider({
    engine: typeof engine === 'string' ? new DockerEngine(engine) : engine,
    engineId: 'stand-in',
    log: { warn: (_fields, message) => warnings.push(message) },
    defaults: {
      cluster,
      image: IMAGE,
      controlPlaneUrl: 'ws://gateway:18789/ws/vm',
      network: 'plexus-vms',
      internetNetwork: undefined,
      binds: [],
      memoryMib: 256,
      cpuMillis: 500,
      maxProcesses: 64,
      user: '65532:65532',
      environment: {},
    },
  });
}

async function startStandIn(folder: ThrowAwayFolder): Promise<DockerStandIn> {
  return DockerStandIn.start(folder.path, { [IMAGE]: fixture('contract-runtime.mjs') });
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

describeProviderContract('containers, on a stand-in for the Docker engine', { runs: true, workspace: true }, async () => {
  const folder = throwAwayFolder('docker');
  const standIn = await startStandIn(folder);
  const provider = openProvider(`unix://${standIn.socket}`);
  const of = ({ vmId, epoch }: IncarnationKey): StandInContainer[] =>
    [...standIn.containers.values()].filter(({ body }) => body.Labels['plexus.vm'] === vmId && body.Labels['plexus.epoch'] === String(epoch));
  const file = (vmId: string, name: string): string => {
    const [volume] = [...standIn.volumes].find(([, { labels }]) => labels['plexus.vm'] === vmId) ?? ['none'];
    return path.join(standIn.volumeFolder(volume), name);
  };
  return {
    provider,
    another: async () => openProvider(`unix://${standIn.socket}`),
    otherCluster: async () => openProvider(`unix://${standIn.socket}`, 'other'),
    running: async (key) => of(key).filter(({ status }) => status === 'running').length,
    async received({ vmId, epoch }) {
      const text = readIfThere(file(vmId, `received-${epoch}.json`));
      return text === undefined ? undefined : (JSON.parse(text) as { line: Bootstrap }).line;
    },
    async crash(key) {
      for (const { process: child } of of(key)) child?.kill('SIGKILL');
    },
    async exposed(key) {
      const specs = of(key).map(({ body }) => JSON.stringify(body));
      const processes = of(key).flatMap(({ process: child }) => ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${child?.pid}/${name}`, 'utf8')));
      return [...specs, ...processes, JSON.stringify([...standIn.volumes]), ...standIn.requests].join('\n');
    },
    async write(vmId, name, text) {
      writeFileSync(file(vmId, name), text);
    },
    read: async (vmId, name) => readIfThere(file(vmId, name)),
    async stop() {
      await provider.close();
      const left = [...standIn.containers.values()].filter(({ status }) => status === 'running');
      await standIn.stop();
      folder.remove();
      expect(left).toEqual([]);
    },
  };
});

describe('the Docker provider', () => {
  let folder: ThrowAwayFolder;
  let standIn: DockerStandIn;
  let provider: DockerProvider;
  const spec = (vmId: string, epoch = 1): InstanceSpec => ({
    vmId,
    epoch,
    userId: 'me',
    bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }),
  });

  beforeAll(async () => {
    folder = throwAwayFolder('docker');
    standIn = await startStandIn(folder);
    provider = openProvider(`unix://${standIn.socket}`);
  });
  afterAll(async () => {
    await provider.close();
    await standIn.stop();
    folder.remove();
  });

  it('follows events again after the engine has dropped them', async () => {
    const key = { vmId: 'vm-events', epoch: 1 };
    await provider.create(spec(key.vmId));
    const seen: IncarnationKey[] = [];
    provider.watch([key], (incarnation) => seen.push(incarnation));
    await waitFor(() => standIn.eventStreams === 1, { timeoutMs: 60_000 });
    standIn.dropEvents();
    await waitFor(() => standIn.eventStreams === 0 || warnings.length > 0, { timeoutMs: 60_000 });
    await waitFor(() => standIn.eventStreams === 1, { timeoutMs: 60_000 });
    await provider.destroy(key, { force: true });
    await waitFor(() => seen.length > 0, { timeoutMs: 60_000 });
    provider.watch([], () => undefined);
    await waitFor(() => standIn.eventStreams === 0, { timeoutMs: 60_000 });
  });

  it('removes a container that was created and never started only when its creator had its time', async () => {
    const failing = { ...spec('vm-half'), bootstrap: () => new Promise<never>(() => undefined) };
    void provider.create(failing);
    const half = await waitFor(() => [...standIn.containers.values()].find(({ body }) => body.Labels['plexus.vm'] === 'vm-half'), { timeoutMs: 60_000 });
    const other = openProvider(`unix://${standIn.socket}`);
    expect(await other.create(spec('vm-half'))).toMatchObject({ phase: 'unknown' });
    expect((await other.list()).map(({ vmId }) => vmId)).toContain('vm-half');
    expect(await other.observe({ vmId: 'vm-half', epoch: 1 })).toMatchObject({ phase: 'starting' });
    Object.assign(half, { created: Date.now() - 60_000 });
    expect(await other.observe({ vmId: 'vm-half', epoch: 1 })).toMatchObject({ phase: 'absent' });
    expect(await other.create(spec('vm-half'))).toMatchObject({ phase: 'running' });
    expect(standIn.containers.has(half.id)).toBe(false);
    await other.destroy({ vmId: 'vm-half', epoch: 1 }, { force: true });
    await other.close();
  });

  it('does the same over TCP, in a version that the engine still speaks', async () => {
    const address = await standIn.listenTcp();
    standIn.oldestVersion = '1.44';
    const engine = await DockerEngine.connect(address);
    await expect(new DockerEngine(address).call('/info')).rejects.toMatchObject({ message: expect.stringContaining('too old') as string });
    const remote = openProvider(engine);
    expect(await remote.create(spec('vm-tcp'))).toMatchObject({ phase: 'running' });
    await waitFor(async () => (await remote.logs('vm-tcp', { tailBytes: 100 })) || undefined, { timeoutMs: 60_000 });
    expect(await remote.destroy({ vmId: 'vm-tcp', epoch: 1 }, { force: false })).toMatchObject({ phase: 'exited', exitCode: 0 });
    await remote.close();
    standIn.oldestVersion = '1.24';
  });

  const cli = (process.env.PATH ?? '').split(path.delimiter).find((entry) => existsSync(path.join(entry, 'docker')));
  (cli ? it : it.skip)('is tested on a stand-in that the docker command understands, too', async () => {
    const docker = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(path.join(cli ?? '', 'docker'), ['-H', `unix://${standIn.socket}`, ...args], { env: { HOME: folder.path } })).stdout.trim();
    const key = { vmId: 'vm-cli', epoch: 5 };
    const { ref } = await provider.create(spec(key.vmId, key.epoch));
    const id = String(ref?.id);
    await waitFor(async () => (await provider.logs(key.vmId, { tailBytes: 100 })) || undefined, { timeoutMs: 60_000 });
    const mine = ['--filter', 'label=plexus.cluster=test', '--filter', 'label=plexus.vm=vm-cli'];
    expect(await docker('ps', '--no-trunc', ...mine, '--format', '{{.ID}} {{.Label "plexus.epoch"}}')).toBe(`${id} 5`);
    expect(await docker('logs', id)).toBe('runtime of me, epoch 5, is up');
    await docker('stop', '-t', '5', id);
    expect(await provider.observe(key)).toMatchObject({ phase: 'exited', exitCode: 0 });
    await docker('rm', id);
    expect(await provider.observe(key)).toEqual({ phase: 'absent' });
  });

  it('says at once that it can never work without the image', async () => {
    await expect(provider.create({ ...spec('vm-image'), template: { image: 'nobody/has-this:1' } })).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      permanent: true,
    });
  });

  it('says that the engine cannot be reached, and never that nothing runs', async () => {
    const away = openProvider(`unix://${path.join(folder.path, 'nobody.sock')}`);
    await expect(away.observe({ vmId: 'vm-1', epoch: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(away.list()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await away.close();
  });

  it('leaves a container of somebody else alone that has the name of ours', async () => {
    await provider.create(spec('vm-mine'));
    const mine = [...standIn.containers.values()].find(({ body }) => body.Labels['plexus.vm'] === 'vm-mine');
    Object.assign(mine?.body ?? {}, { Labels: { ...mine?.body.Labels, 'plexus.cluster': 'somebody-else' } });
    await expect(provider.destroy({ vmId: 'vm-mine', epoch: 1 }, { force: true })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
    expect(mine?.status).toBe('running');
  });
});
