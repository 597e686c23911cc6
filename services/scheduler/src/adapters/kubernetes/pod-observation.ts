import { constants } from 'node:os';
import type { V1ContainerStateTerminated, V1Pod } from '@kubernetes/client-node';
import type { ProviderObservation } from '../../application/provider-port.js';

const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'RegistryUnavailable', 'ImageInspectError']);
const CONFIG_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);
/** Kubelets need a moment after the grace to say that a container is gone. */
const LATE_MS = 5_000;
const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** What a Pod says about its incarnation. `now` is the API server's clock. Logs are not in it. */
export function observationOf(pod: V1Pod, now: number): Omit<ProviderObservation, 'ref'> {
  const { status } = pod;
  const container = status?.containerStatuses?.[0];
  const ended = container?.state?.terminated;
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded' || ended !== undefined) return exitOf(pod, ended);
  if (isLost(pod, now)) {
    const node = pod.spec?.nodeName ?? 'its node';
    return { phase: 'unknown', reasonCode: 'NODE_LOST', text: `${node} does not answer, so nobody knows whether the runtime still runs there.` };
  }
  if (container?.state?.running !== undefined) return { phase: 'running' };
  return { phase: 'starting', ...whyNotYet(pod) };
}

function isLost({ metadata, status }: V1Pod, now: number): boolean {
  if (status?.phase === 'Unknown' || status?.reason === 'NodeLost') return true;
  const due = metadata?.deletionTimestamp;
  return due !== undefined && now > new Date(due).getTime() + LATE_MS;
}

/** How long a Pod has been terminating past its grace; 0: it is not, or still may be. */
export function overdueMs({ metadata }: V1Pod, now: number): number {
  const due = metadata?.deletionTimestamp;
  return due === undefined ? 0 : Math.max(0, now - new Date(due).getTime());
}

function exitOf({ status }: V1Pod, ended: V1ContainerStateTerminated | undefined): Omit<ProviderObservation, 'ref'> {
  const exitCode = ended?.exitCode;
  const signal = ended?.signal ? SIGNALS.get(ended.signal) : exitCode !== undefined && exitCode > 128 ? SIGNALS.get(exitCode - 128) : undefined;
  const code = reasonCodeOf(status?.reason, ended?.reason);
  const sentences = [
    ended?.reason === 'OOMKilled' ? 'OOMKilled: it needed more memory than its limit.' : undefined,
    status?.reason === undefined ? undefined : `${status.reason}: ${status.message ?? 'no message'}`,
    ended?.message?.trim() || undefined,
  ].filter((sentence) => sentence !== undefined);
  return {
    phase: 'exited',
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(code === undefined ? {} : { reasonCode: code }),
    ...(sentences.length === 0 ? {} : { text: sentences.join('\n') }),
  };
}

function reasonCodeOf(pod: string | undefined, container: string | undefined): string | undefined {
  if (container === 'OOMKilled') return 'OOM';
  if (pod === 'Evicted') return 'EVICTED';
  if (pod === 'DeadlineExceeded') return 'MAX_LIFE';
  if (pod === 'NodeLost') return 'NODE_LOST';
  if (pod === 'NodeShutdown' || pod === 'Terminated' || pod === 'Preempting' || pod === 'Shutdown') return 'NODE_SHUTDOWN';
  return undefined;
}

function whyNotYet({ status }: V1Pod): { readonly reasonCode?: string; readonly text?: string } {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  if (waiting?.reason !== undefined && (IMAGE_REASONS.has(waiting.reason) || CONFIG_REASONS.has(waiting.reason))) {
    return { reasonCode: IMAGE_REASONS.has(waiting.reason) ? 'IMAGE' : 'CONFIG', text: `${waiting.reason}: ${waiting.message ?? 'no message'}` };
  }
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    return { reasonCode: 'UNSCHEDULABLE', text: `Unschedulable: ${scheduled.message ?? 'no message'}` };
  }
  return {};
}
