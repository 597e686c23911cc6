import type { V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import type { Deadline } from '@plexus/kernel';
import { type IncarnationKey, type InstanceSpec, type ListedWorkspace, ProviderError } from '../../application/provider-port.js';
import type { ApiCalls } from './api-calls.js';
import type { ClusterObjects } from './cluster-objects.js';
import { ANNOTATIONS, LABELS } from './names.js';
import { networkPolicy, saysTheSame } from './network-policy.js';
import type { PodOptions } from './options.js';
import { ageOf, belongsTo } from './pod-key.js';
import { networkOf, workspaceOf } from './pod-manifest.js';

/** A policy that nobody uses may be waiting for a Pod that is just being made. */
const POLICY_MIN_AGE_MS = 600_000;

/** What a Pod needs around it: its network policy and its workspace. Both are there before it is. */
export class Surroundings {
  constructor(
    private readonly objects: ClusterObjects,
    private readonly calls: ApiCalls,
    private readonly options: PodOptions,
    private readonly log: { warn(fields: object, message: string): void },
  ) {}

  async prepare(deadline: Deadline, namespace: string, spec: InstanceSpec): Promise<void> {
    const wanted = networkPolicy(networkOf(spec, this.options), this.options.network, this.options.cluster);
    const name = wanted.metadata?.name as string;
    const found = await this.objects.policy(deadline, namespace, name);
    if (found === undefined) await this.objects.createPolicy(deadline, namespace, wanted);
    else if (!saysTheSame(found, wanted)) {
      this.log.warn({ policy: name }, 'a network policy of VMs had been changed; it was put right');
      await this.objects.replacePolicy(deadline, namespace, wanted);
    }
    if (this.options.workspace === 'pvc') await this.prepareWorkspace(deadline, namespace, spec);
  }

  private async prepareWorkspace(deadline: Deadline, namespace: string, spec: InstanceSpec): Promise<void> {
    const usedAt = new Date(this.calls.serverNow()).toISOString();
    const wanted = workspaceOf(spec, this.options, usedAt);
    if (await this.objects.createWorkspace(deadline, namespace, wanted)) return;
    const claim = await this.objects.workspace(deadline, spec.vmId);
    if (claim === undefined || claim.metadata?.deletionTimestamp !== undefined) {
      throw new ProviderError('UNAVAILABLE', `the workspace of ${spec.vmId} is being removed`, { retryAfterMs: 2_000 });
    }
    if (!belongsTo(claim, this.options.cluster)) throw new ProviderError('IDENTITY_MISMATCH', `workspace ${claim.metadata?.name} belongs to another mesh`);
    await this.objects.annotateWorkspace(deadline, namespace, claim.metadata?.name as string, {
      [ANNOTATIONS.epoch]: String(spec.epoch),
      [ANNOTATIONS.usedAt]: usedAt,
    });
  }

  /** Notes on the workspace that its VM has just ended. Only retention reads it, so a failure is no more than logged. */
  async noteUse(deadline: Deadline, { vmId }: IncarnationKey): Promise<void> {
    if (this.options.workspace !== 'pvc') return;
    try {
      const claim = await this.objects.workspace(deadline, vmId);
      if (claim === undefined || !belongsTo(claim, this.options.cluster)) return;
      const usedAt = new Date(this.calls.serverNow()).toISOString();
      await this.objects.annotateWorkspace(deadline, claim.metadata?.namespace as string, claim.metadata?.name as string, { [ANNOTATIONS.usedAt]: usedAt });
    } catch (error) {
      this.log.warn({ vmId, err: error }, 'the end of a VM could not be noted on its workspace');
    }
  }

  workspacesOf(claims: readonly V1PersistentVolumeClaim[], busy: ReadonlySet<string | undefined>): ListedWorkspace[] {
    const now = this.calls.serverNow();
    return claims.flatMap((claim) => {
      const vmId = claim.metadata?.annotations?.[ANNOTATIONS.vmId];
      if (vmId === undefined || !belongsTo(claim, this.options.cluster) || claim.metadata?.deletionTimestamp !== undefined) return [];
      const usedAt = Date.parse(claim.metadata?.annotations?.[ANNOTATIONS.usedAt] ?? '');
      const idleMs = busy.has(vmId) ? 0 : Number.isNaN(usedAt) ? ageOf(claim, now) : Math.max(0, now - usedAt);
      return [{ vmId, idleMs }];
    });
  }

  /** Removes policies of earlier settings that no Pod uses any more. Only tidiness depends on it. */
  async sweepPolicies(deadline: Deadline, pods: readonly V1Pod[]): Promise<void> {
    try {
      const used = new Set(pods.map(({ metadata }) => metadata?.labels?.[LABELS.network]));
      for (const network of ['mesh', 'internet'] as const)
        used.add(networkPolicy(network, this.options.network, this.options.cluster).metadata?.labels?.[LABELS.network]);
      const now = this.calls.serverNow();
      for (const policy of (await this.objects.policies(deadline)).items) {
        const isUsed = used.has(policy.metadata?.labels?.[LABELS.network]);
        if (!isUsed && belongsTo(policy, this.options.cluster) && ageOf(policy, now) > POLICY_MIN_AGE_MS) await this.objects.deletePolicy(deadline, policy);
      }
    } catch (error) {
      this.log.warn({ err: error }, 'unused network policies could not be removed');
    }
  }
}
