import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ANNOTATIONS, LABELS, objectName } from '../../../src/adapters/kubernetes/names.js';
import type { Bootstrap, IncarnationKey } from '../../../src/application/provider-port.js';
import type { ContractWorld } from '../../provider-contract/contract-world.js';
import type { KubeObject } from './object-store.js';
import { KubernetesWorld } from './world.js';

/** The provider contract's questions, answered by the stand-in and the process table. */
export async function openContractWorld(settings: Record<string, string>): Promise<ContractWorld> {
  const world = await KubernetesWorld.start();
  const { server, kubelet } = world;
  const file = (vmId: string, name: string): string => path.join(kubelet.workspace(objectName(vmId)), name);
  const read = (name: string): string | undefined => (existsSync(name) ? readFileSync(name, 'utf8') : undefined);
  const podsOf = ({ vmId, epoch }: IncarnationKey): KubeObject[] =>
    server.store.all('pods').filter(({ metadata }) => metadata.annotations?.[ANNOTATIONS.vmId] === vmId && metadata.labels?.[LABELS.epoch] === String(epoch));
  const pidsOf = (key: IncarnationKey): number[] => podsOf(key).flatMap(({ metadata }) => kubelet.pidOf(metadata.uid) ?? []);
  return {
    provider: await world.provider(settings),
    another: () => world.provider(settings),
    otherCluster: () => world.provider(settings, { cluster: 'other' }),
    running: async (key) => pidsOf(key).length,
    async received({ vmId, epoch }) {
      const text = read(file(vmId, `received-${epoch}.json`));
      return text === undefined ? undefined : (JSON.parse(text) as { line: Bootstrap }).line;
    },
    async crash(key) {
      for (const pid of pidsOf(key)) process.kill(pid, 'SIGKILL');
    },
    async exposed(key) {
      const proc = (pid: number, what: string): string => (read(`/proc/${pid}/${what}`) ?? '').replaceAll('\0', '\n');
      return JSON.stringify([podsOf(key), pidsOf(key).map((pid) => [proc(pid, 'cmdline'), proc(pid, 'environ')])]);
    },
    async write(vmId, name, text) {
      writeFileSync(file(vmId, name), text);
    },
    read: async (vmId, name) => read(file(vmId, name)),
    async stop() {
      expect(server.store.all('pods')).toEqual([]);
      expect(server.store.all('secrets')).toEqual([]);
      await world.stop();
    },
  };
}
