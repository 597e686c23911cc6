import { randomUUID } from 'node:crypto';

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { uid: string; kind: string; name: string; apiVersion: string }[];
}

/** Any object as it travels: the stand-in looks into few of its fields. */
// biome-ignore lint/suspicious/noExplicitAny: objects of many kinds, as parsed from JSON
export type KubeObject = { apiVersion: string; kind: string; metadata: ObjectMeta; spec?: any; status?: any; data?: any; type?: string };

export const KINDS = {
  pods: { kind: 'Pod', apiVersion: 'v1' },
  secrets: { kind: 'Secret', apiVersion: 'v1' },
  persistentvolumeclaims: { kind: 'PersistentVolumeClaim', apiVersion: 'v1' },
  namespaces: { kind: 'Namespace', apiVersion: 'v1' },
  networkpolicies: { kind: 'NetworkPolicy', apiVersion: 'networking.k8s.io/v1' },
} as const;
export type Resource = keyof typeof KINDS;

export interface Change {
  readonly version: number;
  readonly resource: Resource;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

/** Refusal with the Status that the real server would send. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** Objects with versions, a bounded history of changes, garbage collection by owner, and graceful deletion of Pods that a node has. */
export class ObjectStore {
  private readonly objects = new Map<string, KubeObject>();
  private history: Change[] = [];
  private readonly listeners = new Set<(change: Change) => void>();
  private version = 100;
  /** Changes up to this version are forgotten. */
  private compactedTo = 0;

  get currentVersion(): number {
    return this.version;
  }

  find(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.objects.get(id(resource, namespace, name));
  }

  get(resource: Resource, namespace: string, name: string): KubeObject {
    const found = this.find(resource, namespace, name);
    if (found === undefined) throw new Refusal(404, 'NotFound', `${resource} "${name}" not found`);
    return found;
  }

  all(resource: Resource, namespace?: string): KubeObject[] {
    return [...this.objects.entries()]
      .filter(([key, object]) => key.startsWith(`${resource}/`) && (namespace === undefined || object.metadata.namespace === namespace))
      .map(([, object]) => object);
  }

  create(resource: Resource, namespace: string, body: KubeObject): KubeObject {
    const { name } = body.metadata;
    if (this.find(resource, namespace, name) !== undefined) throw new Refusal(409, 'AlreadyExists', `${resource} "${name}" already exists`);
    const object: KubeObject = {
      ...structuredClone(body),
      ...KINDS[resource],
      metadata: { ...structuredClone(body.metadata), namespace, uid: randomUUID(), resourceVersion: '', creationTimestamp: seconds(Date.now()) },
    };
    if (resource === 'pods') object.status = { phase: 'Pending', ...object.status };
    this.write('ADDED', resource, object);
    return object;
  }

  update(resource: Resource, object: KubeObject): KubeObject {
    this.write('MODIFIED', resource, object);
    return object;
  }

  /** Marks a Pod that a node has as terminating, or removes the object at once. */
  delete(resource: Resource, namespace: string, name: string, options: { uid?: string | undefined; graceSeconds?: number | undefined }): KubeObject {
    const object = this.get(resource, namespace, name);
    if (options.uid !== undefined && options.uid !== object.metadata.uid) {
      throw new Refusal(409, 'Conflict', `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${object.metadata.uid}`);
    }
    const grace = options.graceSeconds ?? object.spec?.terminationGracePeriodSeconds ?? 0;
    const onNode = resource === 'pods' && object.spec?.nodeName !== undefined;
    if (onNode && grace > 0) {
      const due = seconds(Date.now() + grace * 1_000);
      const known = object.metadata.deletionGracePeriodSeconds;
      if (known === undefined || grace < known) {
        Object.assign(object.metadata, { deletionTimestamp: due, deletionGracePeriodSeconds: grace });
        this.write('MODIFIED', resource, object);
      }
      return object;
    }
    if (resource === 'persistentvolumeclaims' && this.isMounted(object)) {
      object.metadata.deletionTimestamp ??= seconds(Date.now()); // the finalizer pvc-protection
      this.write('MODIFIED', resource, object);
      return object;
    }
    this.remove(resource, object);
    return object;
  }

  private remove(resource: Resource, object: KubeObject): void {
    const { namespace, name, uid } = object.metadata;
    this.objects.delete(id(resource, namespace, name));
    this.record('DELETED', resource, object);
    for (const kind of Object.keys(KINDS) as Resource[]) {
      for (const owned of this.all(kind)) if (owned.metadata.ownerReferences?.some((owner) => owner.uid === uid)) this.remove(kind, owned);
    }
    if (resource !== 'pods') return;
    for (const claim of this.all('persistentvolumeclaims', namespace)) {
      if (claim.metadata.deletionTimestamp !== undefined && !this.isMounted(claim)) this.remove('persistentvolumeclaims', claim);
    }
  }

  private isMounted(claim: KubeObject): boolean {
    return this.all('pods', claim.metadata.namespace).some((pod) =>
      pod.spec?.volumes?.some((volume: { persistentVolumeClaim?: { claimName: string } }) => volume.persistentVolumeClaim?.claimName === claim.metadata.name),
    );
  }

  private write(type: Change['type'], resource: Resource, object: KubeObject): void {
    const { namespace, name } = object.metadata;
    this.objects.set(id(resource, namespace, name), object);
    this.record(type, resource, object);
  }

  private record(type: Change['type'], resource: Resource, object: KubeObject): void {
    this.version += 1;
    object.metadata.resourceVersion = String(this.version);
    const change = { version: this.version, resource, type, object: structuredClone(object) };
    this.history.push(change);
    for (const listener of this.listeners) listener(change);
  }

  /** Changes after a version; refuses with 410 when they are no longer kept. */
  since(version: number): Change[] {
    if (version < this.compactedTo) throw new Refusal(410, 'Expired', `too old resource version: ${version} (${this.compactedTo})`);
    return this.history.filter((change) => change.version > version);
  }

  /** Forgets all changes up to now, as etcd does every five minutes. */
  compact(): void {
    this.version += 1;
    this.compactedTo = this.version;
    this.history = [];
  }

  listen(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

function id(resource: Resource, namespace: string, name: string): string {
  return `${resource}/${namespace}/${name}`;
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
