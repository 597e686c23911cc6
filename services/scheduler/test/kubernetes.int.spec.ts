import { waitFor } from '@plexus/testing';
import type { KubernetesProvider } from '../src/adapters/kubernetes/kubernetes-provider.js';
import type { IncarnationKey, InstanceSpec } from '../src/application/provider-port.js';
import type { ApiRequest } from './support/kubernetes/api-server.js';
import { hurriedClock } from './support/hurried-clock.js';
import { KubernetesWorld, Refusal } from './support/kubernetes/world.js';

const NAMESPACE = 'plexus-vms';
const PATIENCE = { timeoutMs: 60_000 };
const SECRETS = { ticket: 'ticket-9c1f', token: 'token-77ab', bootstrapSecret: 'bootstrap-30dd', modelApiKey: 'key-51ee' };

describe('the Kubernetes provider against a stand-in of the API server', () => {
  let world: KubernetesWorld;
  let provider: KubernetesProvider;
  let counter = 0;

  const fresh = (epoch = 1): IncarnationKey => {
    counter += 1;
    return { vmId: `vm-b${counter}`, epoch };
  };
  const specOf = (key: IncarnationKey, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
    ...key,
    tenant: 'acme',
    userId: 'me',
    bootstrap: async () => SECRETS,
    ...more,
  });
  const podOf = ({ vmId }: IncarnationKey) => world.server.store.find('pods', NAMESPACE, `plexus-${vmId}`);
  const running = (key: IncarnationKey) => waitFor(async () => (await provider.observe(key)).phase === 'running', PATIENCE);
  const isCreatePod = ({ method, resource }: ApiRequest): boolean => method === 'POST' && resource === 'pods';

  beforeAll(async () => {
    world = await KubernetesWorld.start();
    provider = await world.provider({ KUBERNETES_UNREACHABLE_MS: '60000' });
  });
  afterEach(async () => {
    world.server.fault = () => undefined;
    world.kubelet.trouble = () => undefined;
    world.kubelet.lost = false;
    provider.watch([], () => undefined);
    for (const pod of world.server.store.all('pods')) world.server.store.delete('pods', NAMESPACE, pod.metadata.name, { graceSeconds: 0 });
  });
  afterAll(() => world.stop());

  it('B1: starts one hardened Pod whose secrets are in a mounted file only, and the process really runs', async () => {
    const key = fresh();
    await provider.create(specOf(key, { template: { maxLifeMs: 60_000, hash: 'abc' } }));
    await running(key);
    const pod = podOf(key);
    expect(pod?.spec).toMatchObject({
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: 660,
      terminationGracePeriodSeconds: 10,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(pod?.spec.containers).toHaveLength(1);
    expect(pod?.spec.containers[0]).toMatchObject({
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      resources: { limits: { cpu: '1000m', memory: '1024Mi' }, requests: { memory: '1024Mi' } },
    });
    for (const secret of Object.values(SECRETS)) expect(JSON.stringify(pod)).not.toContain(secret);
    expect(JSON.stringify(pod)).not.toContain('acme');
    const secret = world.server.store.get('secrets', NAMESPACE, `plexus-${key.vmId}-e1`);
    expect(JSON.parse(Buffer.from(secret.data['bootstrap.json'], 'base64').toString())).toEqual(SECRETS);
    expect(secret.metadata.ownerReferences).toMatchObject([{ kind: 'Pod', uid: pod?.metadata.uid }]);
    const [policy] = world.server.store.all('networkpolicies');
    expect(policy?.spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      podSelector: { matchLabels: { 'plexus.dev/network': pod?.metadata.labels?.['plexus.dev/network'] } },
    });
    expect(policy?.spec.ingress).toBeUndefined();
    expect(JSON.stringify(policy?.spec.egress)).not.toContain('0.0.0.0/0');
  });

  it('B3: a stale replica whose Pod was replaced between its look and its delete gets a 409, and the successor survives', async () => {
    const key = fresh(1);
    await provider.create(specOf(key));
    await running(key);
    let successor: string | undefined;
    world.server.fault = async ({ method, resource }) => {
      if (method !== 'DELETE' || resource !== 'pods' || successor !== undefined) return undefined;
      const { name } = podOf(key)?.metadata ?? { name: '' };
      const body = structuredClone(podOf(key));
      world.server.store.delete('pods', NAMESPACE, name, { graceSeconds: 0 });
      successor = world.server.store.create('pods', NAMESPACE, { ...(body as NonNullable<typeof body>), status: { phase: 'Pending' } }).metadata.uid;
      return undefined;
    };
    await expect(provider.destroy(key, { force: true })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' });
    expect(podOf(key)?.metadata.uid).toBe(successor);
    expect(podOf(key)?.metadata.deletionTimestamp).toBeUndefined();
  });

  it('B4: waits as long as a 429 asks, and then succeeds', async () => {
    const key = fresh();
    const at: number[] = [];
    world.server.fault = (request) => {
      if (!isCreatePod(request)) return undefined;
      at.push(performance.now());
      return at.length === 1 ? new Refusal(429, 'TooManyRequests', 'the server is busy', 2) : undefined;
    };
    expect(await provider.create(specOf(key))).toMatchObject({ phase: 'starting' });
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(1_990);
  });

  it.each([
    [403, 'Forbidden', 'pods "x" is forbidden: exceeded quota: vms, requested: pods=1, used: pods=5, limited: pods=5', 'QUOTA', false],
    [422, 'Invalid', 'Pod "x" is invalid: spec.containers[0].image: Invalid value', 'INVALID_SPEC', true],
    [403, 'Forbidden', 'pods "x" is forbidden: violates PodSecurity "restricted:latest"', 'INVALID_SPEC', true],
    [403, 'Forbidden', 'User "scheduler" cannot create resource "pods"', 'START_FAILED', false],
    [404, 'NotFound', 'namespaces "plexus-vms" not found', 'START_FAILED', false],
  ])('B4: %i %s (%s) is %s', async (code, reason, message, expected, permanent) => {
    let tries = 0;
    world.server.fault = (request) => {
      if (!isCreatePod(request)) return undefined;
      tries += 1;
      return new Refusal(code, reason, message);
    };
    await expect(provider.create(specOf(fresh()))).rejects.toMatchObject({ code: expected, permanent, message: expect.stringContaining(message) as string });
    expect(tries).toBe(1);
  });

  it('tries again after faults of the server and lost answers, and makes one Pod all the same', async () => {
    const key = fresh();
    let tries = 0;
    world.server.fault = async (request) => {
      if (!isCreatePod(request)) return undefined;
      tries += 1;
      if (tries === 1) return new Refusal(503, 'ServiceUnavailable', 'etcd is electing');
      if (tries > 2) return undefined;
      world.server.store.create('pods', NAMESPACE, JSON.parse(request.body)); // done, but the answer is lost
      return 'cut';
    };
    expect(['starting', 'running']).toContain((await provider.create(specOf(key))).phase);
    expect(tries).toBe(3);
    await running(key);
  });

  it('B5: says why an image cannot be pulled, and the Pod goes when it is ended', async () => {
    const key = fresh();
    world.kubelet.trouble = () => 'image-pull';
    const calls: string[] = [];
    provider.watch([key], ({ vmId }) => calls.push(vmId));
    await provider.create(specOf(key));
    const seen = await waitFor(async () => {
      const observed = await provider.observe(key);
      return observed.reasonCode === 'IMAGE' ? observed : undefined;
    }, PATIENCE);
    expect(seen).toMatchObject({
      phase: 'starting',
      text: expect.stringContaining('ImagePullBackOff: Back-off pulling image "registry.test/plexus-runtime:1"') as string,
    });
    await waitFor(() => calls.includes(key.vmId), PATIENCE);
    expect((await provider.destroy(key, { force: false })).phase).toBe('absent');
    expect(podOf(key)).toBeUndefined();
  });

  it('says why a Pod finds no node, and that one needed too much memory', async () => {
    const [waiting, hungry] = [fresh(), fresh()];
    world.kubelet.trouble = ({ metadata }) => (metadata.name.endsWith(waiting.vmId) ? 'unschedulable' : 'oom');
    await provider.create(specOf(waiting));
    await waitFor(async () => (await provider.observe(waiting)).reasonCode === 'UNSCHEDULABLE', PATIENCE);
    await provider.create(specOf(hungry));
    await running(hungry);
    process.kill(world.kubelet.pidOf(podOf(hungry)?.metadata.uid ?? '') as number, 'SIGKILL');
    const seen = await waitFor(async () => {
      const observed = await provider.observe(hungry);
      return observed.phase === 'exited' ? observed : undefined;
    }, PATIENCE);
    expect(seen).toMatchObject({ exitCode: 137, reasonCode: 'OOM', text: expect.stringContaining('OOMKilled') as string });
  });

  it('finds what changed while its watch was cut, had expired, or said nothing', async () => {
    for (const disturb of ['cut', 'expire', 'stall'] as const) {
      const watching = await world.provider({}, { timings: { quietMs: 500 } });
      const key = fresh();
      await provider.create(specOf(key));
      await running(key);
      const calls: IncarnationKey[] = [];
      watching.watch([key], (changed) => calls.push(changed));
      await waitFor(() => calls.length > 0 && world.server.openWatches > 0, PATIENCE);
      calls.length = 0;
      if (disturb === 'cut') world.server.cutWatches();
      if (disturb === 'expire') world.server.expireWatches();
      if (disturb === 'stall') world.server.stallWatches();
      world.server.store.delete('pods', NAMESPACE, `plexus-${key.vmId}`, { graceSeconds: 0 });
      await waitFor(() => calls.filter(({ vmId }) => vmId === key.vmId).length >= 2, PATIENCE);
      await watching.close();
    }
  });

  it('lists page by page, and starts over when a page has expired', async () => {
    const keys = [fresh(), fresh(), fresh()];
    world.kubelet.trouble = () => 'unschedulable';
    for (const key of keys) await provider.create(specOf(key));
    let expired = false;
    world.server.fault = ({ resource, method, query }) => {
      if (method !== 'GET' || resource !== 'pods' || query.get('limit') === null) return undefined;
      query.set('limit', '2');
      if (query.get('continue') !== null && !expired) {
        expired = true;
        world.server.expirePages();
      }
      return undefined;
    };
    expect((await provider.list()).map(({ vmId }) => vmId)).toEqual(expect.arrayContaining(keys.map(({ vmId }) => vmId)));
    expect(expired).toBe(true);
  });

  it('shows a Secret whose Pod was never made, so that the sweep finds and removes it', async () => {
    const key = fresh();
    world.server.fault = (request) => (isCreatePod(request) ? new Refusal(403, 'Forbidden', 'exceeded quota: vms') : undefined);
    await expect(provider.create(specOf(key))).rejects.toMatchObject({ code: 'QUOTA' });
    const orphan = (await provider.list()).find(({ vmId }) => vmId === key.vmId);
    expect(orphan).toMatchObject({ ...key, ref: { kind: 'Secret' } });
    await provider.destroy(key, { force: true, ...(orphan?.ref && { ref: orphan.ref }) });
    expect((await provider.list()).some(({ vmId }) => vmId === key.vmId)).toBe(false);
  });

  it('says unknown while the API server does not answer, and never absent', async () => {
    const hurried = await world.provider({ KUBERNETES_UNREACHABLE_MS: '60000' }, { clock: hurriedClock(5) });
    const key = fresh();
    await provider.create(specOf(key));
    world.server.fault = () => new Refusal(500, 'InternalError', 'no');
    expect(await hurried.observe(key)).toMatchObject({ phase: 'unknown', reasonCode: 'UNAVAILABLE' });
  });

  it('waits for a node that does not answer, then gives the Pod up and says so', async () => {
    const hurried = await world.provider({ KUBERNETES_UNREACHABLE_MS: '60000' }, { clock: hurriedClock(5) });
    const key = fresh();
    await provider.create(specOf(key));
    await running(key);
    world.kubelet.lost = true;
    expect(await hurried.destroy(key, { force: true })).toMatchObject({ phase: 'unknown' });
    expect(await hurried.create(specOf({ ...key, epoch: 2 }))).toMatchObject({ phase: 'unknown' });
    const pod = podOf(key);
    if (pod?.metadata.deletionTimestamp !== undefined) pod.metadata.deletionTimestamp = new Date(Date.now() - 61_000).toISOString();
    expect(await hurried.destroy(key, { force: true })).toMatchObject({ phase: 'absent', reasonCode: 'NODE_LOST' });
    expect(podOf(key)).toBeUndefined();
  });

  it('refuses at the start what cannot work, all of it at once', async () => {
    await expect(world.provider({ KUBERNETES_GATEWAY: '[]', KUBERNETES_ISOLATION: 'microvm' })).rejects.toThrow(
      /KUBERNETES_GATEWAY names nobody[\s\S]*KUBERNETES_MICROVM_RUNTIME_CLASS/,
    );
    await expect(world.provider({ KUBERNETES_KUBECONFIG: '/nonexistent' })).rejects.toThrow('KUBERNETES_KUBECONFIG /nonexistent cannot be read');
    await expect(world.provider({ KUBERNETES_CONTEXT: 'other' })).rejects.toThrow('no context "other"; it has stand-in');
  });
});
