import type { V1Pod } from '@kubernetes/client-node';
import { type Clock, Deadline } from '@plexus/kernel';
import {
  type DestroyOptions,
  type IncarnationKey,
  type InstanceSpec,
  type ListedInstance,
  type ListedWorkspace,
  type ProviderCapabilities,
  type ProviderDeadlines,
  ProviderError,
  type ProviderObservation,
  type VmProvider,
} from '../../application/provider-port.js';
import { alreadyExists, asProviderError, isConflict } from './api-failure.js';
import { ClusterObjects } from './cluster-objects.js';
import type { Connection } from './connection.js';
import { LastWords } from './last-words.js';
import { ANNOTATIONS, labelValue, selector } from './names.js';
import type { KubernetesOptions } from './options.js';
import { PodEnding } from './pod-ending.js';
import { ageOf, belongsTo, keyOf, refOf } from './pod-key.js';
import { clusterLabels, podOf, secretOf } from './pod-manifest.js';
import { observationOf } from './pod-observation.js';
import { type WatchTimings } from './pod-watch.js';
import { PodFeed } from './pod-feed.js';
import { Surroundings } from './surroundings.js';

export interface KubernetesProviderParts {
  readonly connection: Connection;
  readonly options: KubernetesOptions;
  readonly clock: Clock;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  readonly timings?: Partial<WatchTimings>;
}

/** Of a call, below a claim (10 s). */
const BUDGET_MS = 8_000;
/** A list of thousands takes longer, and holds no claim. */
const LIST_BUDGET_MS = 25_000;

/**
 * VMs as Pods, one per VM, under a name that is the VM's: that a name is given once excludes two Pods of one VM. Every delete names the UID, so
 * nobody can delete a successor by mistake. Replicas that have the same cluster name act on the same Pods.
 */
export class KubernetesProvider implements VmProvider {
  readonly name = 'kubernetes';
  readonly kind = 'kubernetes' as const;
  readonly hostId: string;
  readonly capabilities: ProviderCapabilities;
  readonly deadlines: ProviderDeadlines = { provisionMs: 180_000, bootMs: 60_000, stopMs: 60_000 };
  private readonly objects: ClusterObjects;
  private readonly surroundings: Surroundings;
  private readonly ending: PodEnding;
  private readonly lastWords: LastWords;
  private readonly feed: PodFeed;
  /** Calls of this process for one VM, one after the other: two at once would both mint secrets, and only one of them could be good. */
  private readonly creating = new Map<string, Promise<unknown>>();

  constructor(private readonly parts: KubernetesProviderParts) {
    const { connection, options, clock, log, timings } = parts;
    const { pod, placement } = options;
    this.hostId = `kubernetes:${labelValue(pod.cluster)}`;
    this.capabilities = {
      isolation: pod.microvmRuntimeClass === undefined ? 'container' : 'microvm',
      pause: pod.workspace === 'pvc' ? 'stop-keep-workspace' : 'none',
      survivesSchedulerRestart: true,
      // With an unreachable node the end is assumed after a while, and fencing keeps what may be left from being heard.
      confirmsExit: options.unreachable.policy === 'never',
      watch: true,
      logs: true,
      networkPolicy: pod.network.enforced,
      resourceLimits: true,
      images: true,
    };
    this.objects = new ClusterObjects(connection, placement, pod.cluster);
    this.surroundings = new Surroundings(this.objects, connection.calls, pod, log);
    this.lastWords = new LastWords(this.objects, log);
    this.ending = new PodEnding({ objects: this.objects, calls: connection.calls, clock, unreachable: options.unreachable, lastWords: this.lastWords, log });
    this.feed = new PodFeed({
      connection,
      clock,
      log,
      ...(timings && { timings }),
      path: placement.perTenant ? '/api/v1/pods' : `/api/v1/namespaces/${placement.namespace}/pods`,
      labelSelector: selector(clusterLabels(pod.cluster)),
      list: () => this.objects.pods(this.within(LIST_BUDGET_MS)),
    });
  }

  async create(spec: InstanceSpec): Promise<ProviderObservation> {
    const before = this.creating.get(spec.vmId);
    const mine = (async () => {
      await before?.catch(() => undefined); // whoever asked has its error
      return this.createNow(spec);
    })();
    this.creating.set(spec.vmId, mine);
    try {
      return await mine;
    } catch (error) {
      throw asProviderError(error);
    } finally {
      if (this.creating.get(spec.vmId) === mine) this.creating.delete(spec.vmId);
    }
  }

  private async createNow(spec: InstanceSpec): Promise<ProviderObservation> {
    const { options } = this.parts;
    const wanted = podOf(spec, options.pod);
    if (options.placement.perTenant && spec.tenant === undefined) throw new ProviderError('INVALID_SPEC', 'a namespace per tenant needs the tenant');
    const deadline = this.within(BUDGET_MS);
    const found = await this.objects.pod(deadline, spec.vmId);
    const settled = found === undefined ? undefined : await this.settle(deadline, found, spec);
    if (settled !== undefined) return settled;
    const namespace = await this.objects.namespaceFor(deadline, spec.tenant);
    await this.surroundings.prepare(deadline, namespace, spec);
    const bootstrap = await spec.bootstrap();
    if (bootstrap === undefined) return { phase: 'unknown', text: 'somebody else is starting it' };
    const secret = await this.objects.putSecret(deadline, namespace, secretOf(spec, bootstrap, options.pod));
    let pod: V1Pod;
    try {
      pod = await this.objects.createPod(deadline, namespace, wanted);
    } catch (error) {
      if (!alreadyExists(error)) throw error;
      const winner = await this.objects.pod(deadline, spec.vmId);
      const theirs = winner === undefined ? undefined : await this.settle(deadline, winner, spec);
      return theirs ?? { phase: 'unknown', text: 'another Pod of this VM was there a moment ago' };
    }
    await this.objects.ownSecret(deadline, pod, secret).catch((error: unknown) => {
      // The end of the incarnation removes it in any case.
      this.parts.log.warn({ vmId: spec.vmId, epoch: spec.epoch, err: error }, 'a Secret could not be given to its Pod');
    });
    return this.seen(pod);
  }

  /** What a Pod that is already there means for `spec`; undefined: it was of an earlier epoch and is gone now. */
  private async settle(deadline: Deadline, pod: V1Pod, spec: IncarnationKey): Promise<ProviderObservation | undefined> {
    const key = keyOf(pod);
    if (key?.vmId !== spec.vmId || !belongsTo(pod, this.parts.options.pod.cluster)) {
      throw new ProviderError('IDENTITY_MISMATCH', `Pod ${pod.metadata?.name} is there already, but not of VM ${spec.vmId} of this mesh`);
    }
    if (key.epoch > spec.epoch) return { phase: 'unknown', text: 'a newer incarnation is on record' };
    if (key.epoch === spec.epoch) return this.seen(pod);
    const left = await this.ending.end(deadline, pod, { force: false, waitMs: deadline.remainingMs() / 2 });
    await this.objects.deleteSecret(deadline, key);
    return left.phase === 'absent' || left.phase === 'exited' ? undefined : { phase: 'unknown', text: `epoch ${key.epoch} of it has not ended yet` };
  }

  async observe(key: IncarnationKey): Promise<ProviderObservation> {
    const deadline = this.within(BUDGET_MS);
    try {
      const pod = await this.objects.pod(deadline, key.vmId);
      if (pod === undefined || keyOf(pod)?.epoch !== key.epoch || !belongsTo(pod, this.parts.options.pod.cluster)) return { phase: 'absent' };
      const seen = this.seen(pod);
      return seen.phase === 'exited' ? await this.lastWords.addTo(deadline, pod, seen) : seen;
    } catch (error) {
      return { phase: 'unknown', reasonCode: 'UNAVAILABLE', text: error instanceof Error ? error.message : String(error) };
    }
  }

  async destroy(key: IncarnationKey, options: DestroyOptions): Promise<ProviderObservation> {
    const graceMs = options.force ? 0 : (options.graceMs ?? 0);
    const deadline = this.within(BUDGET_MS + graceMs);
    try {
      const pod = await this.objects.pod(deadline, key.vmId);
      const isIt = pod !== undefined && keyOf(pod)?.epoch === key.epoch && belongsTo(pod, this.parts.options.pod.cluster);
      if (isIt && options.ref?.uid !== undefined && options.ref.kind !== 'Secret' && options.ref.uid !== pod.metadata?.uid) {
        throw new ProviderError('IDENTITY_MISMATCH', `Pod ${pod.metadata?.name} is another one than the one to be ended`);
      }
      const left: ProviderObservation = isIt
        ? await this.ending.end(deadline, pod, { ...options, waitMs: Math.max(1_000, deadline.remainingMs() - 2_000) })
        : { phase: 'absent' };
      if (left.phase === 'absent' || left.phase === 'exited') {
        await this.objects.deleteSecret(deadline, key);
        await this.surroundings.noteUse(deadline, key);
      }
      return left;
    } catch (error) {
      const known = asProviderError(error);
      if (isConflict(error) || !(known instanceof ProviderError) || known.code === 'IDENTITY_MISMATCH') throw known;
      return { phase: 'unknown', reasonCode: known.code, text: known.message };
    }
  }

  async list(): Promise<readonly ListedInstance[]> {
    const deadline = this.within(LIST_BUDGET_MS);
    try {
      // Secrets first: one whose Pod is made in between is then found with it.
      const secrets = await this.objects.secrets(deadline);
      const pods = await this.objects.pods(deadline);
      const now = this.parts.connection.calls.serverNow();
      const listed = new Map<string, ListedInstance>();
      for (const [kind, items] of [['Pod', pods.items] as const, ['Secret', secrets.items] as const]) {
        for (const item of items) {
          const key = keyOf(item);
          if (key === undefined || !belongsTo(item, this.parts.options.pod.cluster)) continue;
          const id = `${key.vmId}/${key.epoch}`;
          if (!listed.has(id)) listed.set(id, { ...key, name: item.metadata?.name ?? '', ageMs: ageOf(item, now), ref: refOf(item, kind) });
        }
      }
      await this.surroundings.sweepPolicies(deadline, pods.items);
      return [...listed.values()];
    } catch (error) {
      throw asProviderError(error);
    }
  }

  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void {
    this.feed.watch(keys, onChange);
  }

  async logs(vmId: string, { tailBytes }: { readonly tailBytes: number }): Promise<string | undefined> {
    const deadline = this.within(BUDGET_MS);
    try {
      const pod = await this.objects.pod(deadline, vmId);
      return pod === undefined ? undefined : await this.lastWords.read(deadline, pod, tailBytes);
    } catch (error) {
      throw asProviderError(error);
    }
  }

  async workspaces(): Promise<readonly ListedWorkspace[]> {
    try {
      const deadline = this.within(LIST_BUDGET_MS);
      const claims = await this.objects.workspaces(deadline);
      const busy = new Set((await this.objects.pods(deadline)).items.map((pod) => keyOf(pod)?.vmId));
      return this.surroundings.workspacesOf(claims.items, busy);
    } catch (error) {
      throw asProviderError(error);
    }
  }

  async removeWorkspace(vmId: string): Promise<void> {
    const deadline = this.within(BUDGET_MS);
    try {
      const pod = await this.objects.pod(deadline, vmId);
      if (pod !== undefined) {
        if (this.seen(pod).phase !== 'exited') throw new ProviderError('IDENTITY_MISMATCH', `VM ${vmId} still has a Pod that may run`);
        await this.objects.deletePod(deadline, pod, { uid: pod.metadata?.uid as string });
      }
      const claim = await this.objects.workspace(deadline, vmId);
      if (claim === undefined) return;
      if (!belongsTo(claim, this.parts.options.pod.cluster)) {
        throw new ProviderError('IDENTITY_MISMATCH', `workspace ${claim.metadata?.name} belongs to another mesh`);
      }
      await this.objects.deleteWorkspace(deadline, claim);
    } catch (error) {
      throw asProviderError(error);
    }
  }

  async highestEpoch(): Promise<number> {
    try {
      const deadline = this.within(LIST_BUDGET_MS);
      const [pods, claims] = [await this.objects.pods(deadline), await this.objects.workspaces(deadline)];
      const epochs = [
        ...pods.items.map((pod) => keyOf(pod)?.epoch ?? 0),
        ...claims.items.map(({ metadata }) => Number(metadata?.annotations?.[ANNOTATIONS.epoch]) || 0),
      ];
      return epochs.reduce((highest, epoch) => Math.max(highest, epoch), 0);
    } catch (error) {
      throw asProviderError(error);
    }
  }

  async close(): Promise<void> {
    await this.feed.stop();
    this.parts.connection.calls.close();
  }

  private seen(pod: V1Pod): ProviderObservation {
    return { ...observationOf(pod, this.parts.connection.calls.serverNow()), ref: refOf(pod) };
  }

  private within(ms: number): Deadline {
    return Deadline.in(ms, this.parts.clock);
  }
}
