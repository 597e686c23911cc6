import type { V1NetworkPolicy, V1PersistentVolumeClaim, V1Pod, V1Secret } from '@kubernetes/client-node';
import type { Deadline } from '@plexus/kernel';
import type { IncarnationKey } from '../../application/provider-port.js';
import { alreadyExists, isExpired, isNotFound } from './api-failure.js';
import type { Connection } from './connection.js';
import { LABELS, labelValue, objectName, secretName, selector, tenantLabel } from './names.js';
import type { PlacementOptions } from './options.js';
import { clusterLabels, vmLabels } from './pod-manifest.js';

const PAGE = 250;
const LIST_ATTEMPTS = 3;
/** Answers without data: what is in a Secret is not read back. */
const METADATA_ONLY = { Accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json' };

interface Page<T> {
  readonly items: T[];
  readonly metadata?: { _continue?: string; resourceVersion?: string };
}

interface PageRequest {
  readonly labelSelector: string;
  readonly limit: number;
  readonly _continue?: string;
}

export interface Listed<T> {
  readonly items: T[];
  /** Where a watch may go on from. */
  readonly resourceVersion: string;
}

export interface DeleteOptions {
  /** Only this very object: with another one under the name, the API server answers 409. */
  readonly uid: string;
  readonly graceSeconds?: number;
}

/** The objects of one mesh in its namespace or namespaces. Rejects with `ApiCallError`. */
export class ClusterObjects {
  private readonly namespaces = new Set<string>();

  constructor(
    private readonly connection: Connection,
    readonly placement: PlacementOptions,
    private readonly cluster: string,
  ) {}

  /** Where the objects of a tenant's VM are made. */
  async namespaceFor(deadline: Deadline, tenant: string | undefined): Promise<string> {
    const { namespace, perTenant } = this.placement;
    if (!perTenant || tenant === undefined) return namespace;
    const name = `${namespace}-${tenantLabel(tenant)}`.slice(0, 63);
    if (!this.namespaces.has(name)) await this.makeNamespace(deadline, name, tenant);
    return name;
  }

  private async makeNamespace(deadline: Deadline, name: string, tenant: string): Promise<void> {
    const labels = { ...clusterLabels(this.cluster), [LABELS.tenant]: tenantLabel(tenant), 'pod-security.kubernetes.io/enforce': 'restricted' };
    try {
      await this.connection.calls.run(deadline, `make namespace ${name}`, (options) =>
        this.connection.core.createNamespace({ body: { metadata: { name, labels } } }, options),
      );
    } catch (error) {
      if (!alreadyExists(error)) throw error;
    }
    this.namespaces.add(name);
  }

  /** The Pod of a VM, whatever its epoch. */
  async pod(deadline: Deadline, vmId: string): Promise<V1Pod | undefined> {
    const { core, calls } = this.connection;
    if (this.placement.perTenant) {
      const labelSelector = selector(vmLabels(this.cluster, vmId));
      const { items } = await calls.run(deadline, `find the Pod of ${vmId}`, (options) => core.listPodForAllNamespaces({ labelSelector }, options));
      return items[0];
    }
    const at = { name: objectName(vmId), namespace: this.placement.namespace };
    return orNone(calls.run(deadline, `read Pod ${at.name}`, (options) => core.readNamespacedPod(at, options)));
  }

  async workspace(deadline: Deadline, vmId: string): Promise<V1PersistentVolumeClaim | undefined> {
    const { core, calls } = this.connection;
    if (this.placement.perTenant) {
      const labelSelector = selector(vmLabels(this.cluster, vmId));
      const found = await calls.run(deadline, `find the workspace of ${vmId}`, (options) =>
        core.listPersistentVolumeClaimForAllNamespaces({ labelSelector }, options),
      );
      return found.items[0];
    }
    const at = { name: objectName(vmId), namespace: this.placement.namespace };
    return orNone(calls.run(deadline, `read workspace ${at.name}`, (options) => core.readNamespacedPersistentVolumeClaim(at, options)));
  }

  pods(deadline: Deadline): Promise<Listed<V1Pod>> {
    const { core } = this.connection;
    return this.list(deadline, 'list Pods', (page, options) =>
      this.placement.perTenant
        ? core.listPodForAllNamespaces(page, options)
        : core.listNamespacedPod({ ...page, namespace: this.placement.namespace }, options),
    );
  }

  workspaces(deadline: Deadline): Promise<Listed<V1PersistentVolumeClaim>> {
    const { core } = this.connection;
    return this.list(deadline, 'list workspaces', (page, options) =>
      this.placement.perTenant
        ? core.listPersistentVolumeClaimForAllNamespaces(page, options)
        : core.listNamespacedPersistentVolumeClaim({ ...page, namespace: this.placement.namespace }, options),
    );
  }

  policies(deadline: Deadline): Promise<Listed<V1NetworkPolicy>> {
    const { networking } = this.connection;
    return this.list(deadline, 'list network policies', (page, options) =>
      this.placement.perTenant
        ? networking.listNetworkPolicyForAllNamespaces(page, options)
        : networking.listNamespacedNetworkPolicy({ ...page, namespace: this.placement.namespace }, options),
    );
  }

  /** Secrets of the mesh, without what is in them; `key` narrows to one incarnation. */
  secrets(deadline: Deadline, key?: IncarnationKey): Promise<Listed<V1Secret>> {
    const { core } = this.connection;
    const labels: Record<string, string> = key === undefined ? {} : { [LABELS.vm]: labelValue(key.vmId), [LABELS.epoch]: String(key.epoch) };
    return this.list(
      deadline,
      'list Secrets',
      (page, options) =>
        this.placement.perTenant
          ? core.listSecretForAllNamespaces(page, options)
          : core.listNamespacedSecret({ ...page, namespace: this.placement.namespace }, options),
      { labels, headers: METADATA_ONLY },
    );
  }

  private async list<T>(
    deadline: Deadline,
    what: string,
    call: (page: PageRequest, options: object) => Promise<Page<T>>,
    more: { readonly labels?: Readonly<Record<string, string>>; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Listed<T>> {
    const labelSelector = selector({ ...clusterLabels(this.cluster), ...more.labels });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const items: T[] = [];
        let next: string | undefined;
        for (;;) {
          const page = { labelSelector, limit: PAGE, ...(next === undefined ? {} : { _continue: next }) };
          const answer = await this.connection.calls.run(deadline, what, (options) => call(page, options), more.headers);
          items.push(...answer.items);
          next = answer.metadata?._continue || undefined;
          if (next === undefined) return { items, resourceVersion: answer.metadata?.resourceVersion ?? '' };
        }
      } catch (error) {
        // The pages are of one moment, which the server has forgotten meanwhile: from the start.
        if (!isExpired(error) || attempt >= LIST_ATTEMPTS) throw error;
      }
    }
  }

  createPod(deadline: Deadline, namespace: string, body: V1Pod): Promise<V1Pod> {
    const { core, calls } = this.connection;
    return calls.run(deadline, `create Pod ${body.metadata?.name}`, (options) => core.createNamespacedPod({ namespace, body }, options));
  }

  /** The content of the newest caller stays: who was admitted last by the database holds the only secrets that are good. */
  async putSecret(deadline: Deadline, namespace: string, body: V1Secret): Promise<V1Secret> {
    const { core, calls } = this.connection;
    const name = body.metadata?.name as string;
    try {
      return await calls.run(deadline, `create Secret ${name}`, (options) => core.createNamespacedSecret({ namespace, body }, options));
    } catch (error) {
      if (!alreadyExists(error)) throw error;
      return calls.run(deadline, `replace Secret ${name}`, (options) => core.replaceNamespacedSecret({ name, namespace, body }, options));
    }
  }

  /** Ties a Secret to its Pod, with which it goes. */
  async ownSecret(deadline: Deadline, pod: V1Pod, secret: V1Secret): Promise<void> {
    const { core, calls, mergePatch } = this.connection;
    const { name, uid, namespace } = pod.metadata as { name: string; uid: string; namespace: string };
    const body = { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid }] } };
    const of = secret.metadata?.name as string;
    await calls.run(deadline, `give Secret ${of} to its Pod`, (options) => core.patchNamespacedSecret({ name: of, namespace, body }, options), mergePatch);
  }

  /** False: it was there already. */
  async createWorkspace(deadline: Deadline, namespace: string, body: V1PersistentVolumeClaim): Promise<boolean> {
    const { core, calls } = this.connection;
    try {
      await calls.run(deadline, `create workspace ${body.metadata?.name}`, (options) =>
        core.createNamespacedPersistentVolumeClaim({ namespace, body }, options),
      );
      return true;
    } catch (error) {
      if (!alreadyExists(error)) throw error;
      return false;
    }
  }

  async annotateWorkspace(deadline: Deadline, namespace: string, name: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    const { core, calls, mergePatch } = this.connection;
    const body = { metadata: { annotations } };
    await calls.run(
      deadline,
      `annotate workspace ${name}`,
      (options) => core.patchNamespacedPersistentVolumeClaim({ name, namespace, body }, options),
      mergePatch,
    );
  }

  async policy(deadline: Deadline, namespace: string, name: string): Promise<V1NetworkPolicy | undefined> {
    const { networking, calls } = this.connection;
    return orNone(calls.run(deadline, `read network policy ${name}`, (options) => networking.readNamespacedNetworkPolicy({ name, namespace }, options)));
  }

  async createPolicy(deadline: Deadline, namespace: string, body: V1NetworkPolicy): Promise<void> {
    const { networking, calls } = this.connection;
    try {
      await calls.run(deadline, `create network policy ${body.metadata?.name}`, (options) =>
        networking.createNamespacedNetworkPolicy({ namespace, body }, options),
      );
    } catch (error) {
      if (!alreadyExists(error)) throw error; // another replica was faster, with the same content: the name is its hash
    }
  }

  async replacePolicy(deadline: Deadline, namespace: string, body: V1NetworkPolicy): Promise<void> {
    const { networking, calls } = this.connection;
    const name = body.metadata?.name as string;
    await calls.run(deadline, `replace network policy ${name}`, (options) => networking.replaceNamespacedNetworkPolicy({ name, namespace, body }, options));
  }

  /** Gone already: fine. Another object under the name: rejects with 409. */
  async deletePod(deadline: Deadline, pod: V1Pod, { uid, graceSeconds }: DeleteOptions): Promise<void> {
    const { name, namespace } = pod.metadata as { name: string; namespace: string };
    const body = { preconditions: { uid }, ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }) };
    const { core, calls } = this.connection;
    await orNone(calls.run(deadline, `delete Pod ${name}`, (options) => core.deleteNamespacedPod({ name, namespace, body }, options)));
  }

  async deleteWorkspace(deadline: Deadline, claim: V1PersistentVolumeClaim): Promise<void> {
    const { name, namespace, uid } = claim.metadata as { name: string; namespace: string; uid: string };
    const { core, calls } = this.connection;
    const body = { preconditions: { uid } };
    await orNone(calls.run(deadline, `delete workspace ${name}`, (options) => core.deleteNamespacedPersistentVolumeClaim({ name, namespace, body }, options)));
  }

  async deletePolicy(deadline: Deadline, policy: V1NetworkPolicy): Promise<void> {
    const { name, namespace, uid } = policy.metadata as { name: string; namespace: string; uid: string };
    const { networking, calls } = this.connection;
    const body = { preconditions: { uid } };
    await orNone(
      calls.run(deadline, `delete network policy ${name}`, (options) => networking.deleteNamespacedNetworkPolicy({ name, namespace, body }, options)),
    );
  }

  /** The Secret of an incarnation; its name holds the epoch, so it can be no other's. */
  async deleteSecret(deadline: Deadline, key: IncarnationKey): Promise<void> {
    const { core, calls } = this.connection;
    const places = this.placement.perTenant
      ? (await this.secrets(deadline, key)).items.map(({ metadata }) => metadata?.namespace as string)
      : [this.placement.namespace];
    const name = secretName(key.vmId, key.epoch);
    for (const namespace of places) {
      await orNone(calls.run(deadline, `delete Secret ${name}`, (options) => core.deleteNamespacedSecret({ name, namespace }, options)));
    }
  }

  /** What the runtime wrote last, at most `tailLines` lines of it; undefined when there is nothing to read. */
  async log(deadline: Deadline, pod: V1Pod, container: string, tailLines: number, limitBytes: number): Promise<string | undefined> {
    const { name, namespace } = pod.metadata as { name: string; namespace: string };
    const { core, calls } = this.connection;
    return orNone(
      calls.run(deadline, `read the log of ${name}`, (options) => core.readNamespacedPodLog({ name, namespace, container, tailLines, limitBytes }, options)),
    );
  }
}

async function orNone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
