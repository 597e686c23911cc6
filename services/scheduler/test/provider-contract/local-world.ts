import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expectGone, marked, throwAwayFolder } from '@plexus/testing';
import type { Launcher } from '../../src/adapters/local/launcher.js';
import { LocalProvider } from '../../src/adapters/local/local-provider.js';
import type { Bootstrap, IncarnationKey } from '../../src/application/provider-port.js';
import { fixture } from '../support/mesh.js';
import type { ContractWorld } from './contract-world.js';

interface Received {
  readonly pid: number;
  readonly line: Bootstrap;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** VMs as processes in a folder of their own, under what the launcher puts around them. */
export async function openLocalWorld(launcherOf: (state: string) => Promise<Launcher | undefined> = async () => undefined): Promise<ContractWorld> {
  const folder = throwAwayFolder('provider-contract');
  const root = path.join(folder.path, 'vms');
  const cluster = `test-${path.basename(folder.path)}`;
  const open = async (name = cluster): Promise<LocalProvider> => {
    const launcher = await launcherOf(folder.path);
    return new LocalProvider({
      root,
      runtimeEntry: fixture('contract-runtime.mjs'),
      cluster: name,
      controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm',
      environment: { PATH: process.env.PATH ?? '' },
      ...(launcher && { launcher }),
      log: { warn: (fields, message) => console.warn(message, fields) },
    });
  };
  const workspace = (vmId: string): string => path.join(root, vmId, 'workspace');
  /** Empty once the process is gone. */
  const proc = (pid: number, file: string): string => (readIfThere(`/proc/${pid}/${file}`) ?? '').replaceAll('\0', '\n');
  const processesOf = ({ vmId, epoch }: IncarnationKey): number[] =>
    marked(cluster)
      .map(({ pid }) => pid)
      .filter((pid) => {
        const environment = proc(pid, 'environ').split('\n');
        return environment.includes(`VM_ID=${vmId}`) && environment.includes(`VM_EPOCH=${epoch}`);
      });
  const runtimesOf = (key: IncarnationKey): number[] => processesOf(key).filter((pid) => proc(pid, 'cmdline').startsWith(`${process.execPath}\n`));
  const provider = await open();
  return {
    provider,
    another: () => open(),
    otherCluster: () => open(`${cluster}-other`),
    running: async (key) => runtimesOf(key).length,
    async received({ vmId, epoch }) {
      const text = readIfThere(path.join(workspace(vmId), `received-${epoch}.json`));
      return text === undefined ? undefined : (JSON.parse(text) as Received).line;
    },
    async crash(key) {
      for (const pid of processesOf(key)) process.kill(pid, 'SIGKILL');
    },
    async exposed(key) {
      const processes = processesOf(key).flatMap((pid) => [proc(pid, 'cmdline'), proc(pid, 'environ')]);
      const files = readdirSync(path.join(root, key.vmId)).filter((name) => name.endsWith('.json') || name.endsWith('.log'));
      return [...processes, ...files.map((name) => readFileSync(path.join(root, key.vmId, name), 'utf8'))].join('\n');
    },
    async write(vmId, name, text) {
      writeFileSync(path.join(workspace(vmId), name), text);
    },
    read: async (vmId, name) => readIfThere(path.join(workspace(vmId), name)),
    async stop() {
      await provider.close();
      await expectGone(marked(cluster));
      folder.remove();
    },
  };
}
