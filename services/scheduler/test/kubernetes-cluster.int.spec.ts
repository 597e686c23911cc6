import { randomBytes } from 'node:crypto';
import { waitFor } from '@plexus/testing';
import { openKubernetes } from '../src/adapters/kubernetes/open.js';
import { kubernetesSettings } from '../src/adapters/kubernetes/settings.js';
import { loadClient } from './support/kubernetes/world.js';

const kubeconfig = process.env.PLEXUS_TEST_KUBECONFIG;
const NAMESPACE = process.env.PLEXUS_TEST_KUBERNETES_NAMESPACE ?? 'plexus-vms';
const IMAGE = process.env.PLEXUS_TEST_KUBERNETES_IMAGE ?? 'busybox:1.37';
const PATIENCE = { timeoutMs: 240_000 };
/** Says what it got and waits; a shell is enough, so any small image will do. */
const SCRIPT = 'read line; echo "epoch $VM_EPOCH got a line of secrets"; echo here > /workspace/mark-$VM_EPOCH; trap "exit 0" TERM; while :; do sleep 1; done';

if (kubeconfig === undefined) {
  describe.skip('the Kubernetes provider on a real cluster: PLEXUS_TEST_KUBECONFIG is not set', () => {
    it('was not run', () => undefined);
  });
} else {
  describe('the Kubernetes provider on a real cluster', () => {
    it(
      'starts a Pod, finds it again, keeps its workspace over incarnations, and leaves nothing behind',
      async () => {
        const cluster = `e2e-${randomBytes(4).toString('hex')}`;
        const provider = await openKubernetes(
          kubernetesSettings.parse({
            KUBERNETES_KUBECONFIG: kubeconfig,
            KUBERNETES_NAMESPACE: NAMESPACE,
            KUBERNETES_IMAGE: IMAGE,
            KUBERNETES_COMMAND: JSON.stringify(['/bin/sh', '-c', SCRIPT]),
            KUBERNETES_GATEWAY: '[{"cidr":"10.0.0.1/32"}]',
            KUBERNETES_CONTROL_PLANE_WS: 'ws://10.0.0.1/ws/vm',
            KUBERNETES_MEMORY_MIB: '64',
            KUBERNETES_CPU_MILLIS: '100',
            KUBERNETES_WORKSPACE_MIB: '16',
          }),
          { cluster, controlPlaneUrl: 'ws://10.0.0.1/ws/vm', environment: {}, maxLifeMs: 600_000 },
          { load: loadClient, log: console },
        );
        const key = { vmId: `vm-${cluster}`, epoch: 1 };
        const bootstrap = async () => ({ ticket: 'ticket', token: 'token', bootstrapSecret: 'secret' });
        try {
          for (const epoch of [1, 2]) {
            const incarnation = { ...key, epoch };
            await waitFor(async () => (await provider.create({ ...incarnation, tenant: 'e2e', userId: 'me', bootstrap })).phase !== 'unknown', PATIENCE);
            await waitFor(async () => (await provider.observe(incarnation)).phase === 'running', PATIENCE);
            await waitFor(async () => (await provider.logs(key.vmId, { tailBytes: 4_096 }))?.includes(`epoch ${epoch} got`), PATIENCE);
            expect(await provider.list()).toMatchObject([incarnation]);
            await waitFor(async () => ['absent', 'exited'].includes((await provider.destroy(incarnation, { force: false })).phase), PATIENCE);
          }
          expect(await provider.highestEpoch()).toBe(2);
        } finally {
          await provider.removeWorkspace(key.vmId);
          expect(await provider.list()).toEqual([]);
          await provider.close();
        }
      },
      15 * 60_000,
    );
  });
}
