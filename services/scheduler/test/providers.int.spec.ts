import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Database } from '@plexus/database';
import { ConfigurationError } from '@plexus/kernel';
import { type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { type LauncherOptions, probeLauncher } from '../src/adapters/local/launcher.js';
import { LocalProvider } from '../src/adapters/local/local-provider.js';
import { openProviders } from '../src/adapters/providers.js';
import { ProviderRegistry } from '../src/application/provider-port.js';
import { schedulerConfig } from '../src/config.js';
import { DockerStandIn } from './support/docker-stand-in.js';
import { fixture } from './support/mesh.js';

const PATH = process.env.PATH ?? '';

describe('providers by settings', () => {
  let folder: ThrowAwayFolder;
  const log = { info: () => undefined, warn: () => undefined };
  const database = {} as Database;
  const epochs = { raise: async () => undefined };

  const open = async (settings: Record<string, string>, environment: { NODE_ENV?: string; PLEXUS_STATE_DIR?: string } = {}): Promise<ProviderRegistry> => {
    const parsed = schedulerConfig.parse({ DATABASE_URL: 'postgresql://x/y', CONTROL_PLANE_WS: 'ws://127.0.0.1:1/ws/vm', PATH, ...settings });
    const config = { ...parsed, NODE_ENV: 'test', PLEXUS_STATE_DIR: folder.path, ...environment };
    return openProviders({ config, database, epochs, log });
  };

  beforeAll(() => {
    folder = throwAwayFolder('providers');
  });
  afterAll(() => folder.remove());

  it('enables the local one by default, and several in their order', async () => {
    const usual = await open({});
    expect(usual.all.map(({ name }) => name)).toEqual(['local']);
    const several = await open({ PROVIDER: 'external, local' });
    expect(several.all.map(({ name }) => name)).toEqual(['external', 'local']);
    expect(several.default.name).toBe('external');
    expect(several.get('local').kind).toBe('local');
    expect(several.get(undefined)).toBe(several.default);
    expect(() => several.get('kubernetes')).toThrow('no provider "kubernetes" is enabled; there is external, local');
    await usual.close();
    await several.close();
  });

  it('refuses names that there are not, and the same twice', () => {
    for (const PROVIDER of ['', 'lokal', 'local,', 'local,local']) {
      expect(schedulerConfig.safeParse({ DATABASE_URL: 'postgresql://x/y', CONTROL_PLANE_WS: 'ws://x/y', PROVIDER }).success).toBe(false);
    }
  });

  it('refuses plain processes in production unless they are allowed explicitly', async () => {
    const production = { NODE_ENV: 'production' };
    await expect(open({}, production)).rejects.toThrow(/without any isolation: production refuses it unless ALLOW_UNSANDBOXED_LOCAL=1/);
    await expect(open({ PROVIDER: 'external,local' }, production)).rejects.toBeInstanceOf(ConfigurationError);
    const allowed = await open({ ALLOW_UNSANDBOXED_LOCAL: '1' }, production);
    expect(allowed.default.capabilities.isolation).toBe('none');
    await allowed.close();
    await (await open({ PROVIDER: 'external' }, production)).close();
  });

  it('names the setting that is missing or too much', async () => {
    await expect(open({ PROVIDER: 'local' }, { PLEXUS_STATE_DIR: undefined as never })).rejects.toThrow('PLEXUS_STATE_DIR is not set');
    await expect(open({ PROVIDER: 'docker' })).rejects.toThrow('PLEXUS_CLUSTER is not set');
    const nobody = `unix://${path.join(folder.path, 'nobody.sock')}`;
    await expect(open({ PROVIDER: 'docker', PLEXUS_CLUSTER: 'c', DOCKER_ENGINE: nobody })).rejects.toThrow(/^DOCKER_ENGINE: .*cannot be reached/);
    await expect(open({ PROVIDER: 'docker', PLEXUS_CLUSTER: 'c', DOCKER_USER: '0:0' })).rejects.toThrow('never run as root');
    await expect(open({ PROVIDER: 'docker', PLEXUS_CLUSTER: 'c', DOCKER_BINDS: '/var/run/docker.sock:/d.sock' })).rejects.toThrow('owns its host');
  });

  it('asks the Docker engine who it is, so that replicas on it know that they share it', async () => {
    const standIn = await DockerStandIn.start(folder.path, {});
    const registries = await Promise.all([1, 2].map(() => open({ PROVIDER: 'docker', PLEXUS_CLUSTER: 'c', DOCKER_ENGINE: `unix://${standIn.socket}` })));
    const [first, second] = registries.map((registry) => registry.default);
    expect(first?.hostId).toMatch(/^docker-[0-9a-f]{16}$/);
    expect(second?.hostId).toBe(first?.hostId);
    for (const registry of registries) await registry.close();
    await standIn.stop();
  });

  it('does not accept two of the same name', async () => {
    const { default: provider, ...registry } = await open({ PROVIDER: 'external' });
    expect(registry).toBeDefined();
    expect(() => new ProviderRegistry([provider as never, provider as never])).toThrow('same name');
  });
});

describe('what the local provider puts around a VM', () => {
  let folder: ThrowAwayFolder;
  const warnings: string[] = [];
  const options = (given: Partial<LauncherOptions>): LauncherOptions => ({
    namespaces: 'off',
    searchPath: PATH,
    hidden: folder.path,
    log: { warn: (_fields, message) => warnings.push(message) },
    ...given,
  });
  /** A program of this name that prints `says` and exits so. */
  const program = (name: string, says: string, code: number): string => {
    const bin = path.join(folder.path, `bin-${name}-${code}`);
    mkdirSync(bin, { recursive: true });
    writeFileSync(path.join(bin, name), `#!/bin/sh\necho "${says}" >&2\nexit ${code}\n`);
    chmodSync(path.join(bin, name), 0o755);
    return bin;
  };

  beforeAll(() => {
    folder = throwAwayFolder('launcher');
  });
  afterAll(() => folder.remove());

  it('is nothing by default', async () => {
    const launcher = await probeLauncher(options({}));
    expect(launcher.isolation).toBe('none');
    expect(launcher.wrap(['node', 'x.js'], '/w')).toEqual(['node', 'x.js']);
  });

  it('are the limits that were asked for, and they hold', async () => {
    const launcher = await probeLauncher(options({ nice: 5, maxOpenFiles: 99, maxFileMib: 1 }));
    const [file, ...args] = launcher.wrap(['/bin/sh', '-c', 'ulimit -n; ulimit -c; nice'], '/w');
    expect(execFileSync(file, args, { encoding: 'utf8' }).trim().split('\n').slice(0, 2)).toEqual(['99', '0']);
  });

  it('says which program is missing, and what it said when it cannot be used', async () => {
    await expect(probeLauncher(options({ namespaces: 'require', searchPath: folder.path }))).rejects.toThrow(
      /LOCAL_NAMESPACES=require needs bwrap, which is in no folder/,
    );
    await expect(probeLauncher(options({ nice: 1, searchPath: '' }))).rejects.toThrow(/LOCAL_NICE needs nice/);
    const searchPath = program('bwrap', 'No permissions to create new namespace', 1);
    await expect(probeLauncher(options({ namespaces: 'require', searchPath }))).rejects.toThrow(
      /cannot make namespaces here: No permissions to create new namespace/,
    );
  });

  it('goes without namespaces under auto, and says so', async () => {
    warnings.length = 0;
    const launcher = await probeLauncher(options({ namespaces: 'auto', searchPath: program('bwrap', 'no', 1) }));
    expect(launcher.isolation).toBe('none');
    expect(warnings).toEqual(['VMs run without namespaces: LOCAL_NAMESPACES=auto, and bubblewrap cannot be used']);
  });

  const bubblewrap = PATH.split(path.delimiter).some((entry) => existsSync(path.join(entry, 'bwrap')));
  (bubblewrap ? it : it.skip)(
    'with bubblewrap: a VM sees no other process, no other VM and no key of the mesh, and writes nowhere but in its workspace',
    async () => {
      const root = path.join(folder.path, 'vms');
      mkdirSync(path.join(root, 'vm-other', 'workspace'), { recursive: true });
      writeFileSync(path.join(folder.path, 'master-key'), 'secret');
      const launcher = await probeLauncher(options({ namespaces: 'require' }));
      const provider = new LocalProvider({
        root,
        runtimeEntry: fixture('curious-runtime.mjs'),
        cluster: path.basename(folder.path),
        controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm',
        environment: { PATH, STATE: folder.path },
        launcher,
        log: console,
      });
      const key = { vmId: 'vm-curious', epoch: 1 };
      await provider.create({ ...key, userId: 'me', bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }) });
      const seen = await waitFor(() => JSON.parse(readFileSync(path.join(root, 'vm-curious', 'workspace', 'seen.json'), 'utf8')) as Record<string, unknown>, {
        timeoutMs: 60_000,
      });
      expect(seen).toEqual({ state: ['vms'], vms: ['vm-curious'], outsider: false, wrote: [] });
      await provider.destroy(key, { force: true });
      await provider.close();
    },
  );
});
