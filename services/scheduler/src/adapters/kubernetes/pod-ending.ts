import type { V1Pod } from '@kubernetes/client-node';
import type { Clock, Deadline } from '@plexus/kernel';
import { ProviderError, type ProviderObservation } from '../../application/provider-port.js';
import type { ApiCalls } from './api-calls.js';
import { isConflict } from './api-failure.js';
import type { ClusterObjects } from './cluster-objects.js';
import type { LastWords } from './last-words.js';
import type { UnreachableOptions } from './options.js';
import { keyOf, refOf } from './pod-key.js';
import { GRACE_SECONDS } from './pod-manifest.js';
import { observationOf, overdueMs } from './pod-observation.js';

export interface PodEndingParts {
  readonly objects: ClusterObjects;
  readonly calls: ApiCalls;
  readonly clock: Clock;
  readonly unreachable: UnreachableOptions;
  readonly lastWords: LastWords;
  readonly log: { warn(fields: object, message: string): void };
}

export interface HowToEnd {
  readonly force: boolean;
  readonly graceMs?: number;
  /** How long to wait for the end to be confirmed. */
  readonly waitMs: number;
}

const POLL_MS = 250;
/** By force, but still confirmed: 0 would take the Pod off the record whatever its node does. */
const FORCE_SECONDS = 1;

/** Ends Pods: always exactly the one that was named, and gone only when the API server says so. */
export class PodEnding {
  constructor(private readonly parts: PodEndingParts) {}

  /** `exited` or `absent`: the Pod no longer exists. `unknown`: it still does. */
  async end(deadline: Deadline, pod: V1Pod, how: HowToEnd): Promise<ProviderObservation> {
    const uid = pod.metadata?.uid as string;
    const graceSeconds = how.force ? FORCE_SECONDS : Math.max(1, Math.ceil((how.graceMs ?? GRACE_SECONDS * 1_000) / 1_000));
    let last = await this.note(deadline, pod, undefined);
    if (needsDelete(pod, graceSeconds)) await this.delete(deadline, pod, uid, graceSeconds);
    const wait = deadline.within(how.waitMs);
    for (let now: V1Pod | undefined = pod; ; ) {
      now = await this.parts.objects.pod(deadline, keyOf(pod)?.vmId ?? '');
      if (now?.metadata?.uid !== uid) return last ?? { phase: 'absent' };
      last = await this.note(deadline, now, last);
      if (this.isGivenUp(now)) {
        await this.delete(deadline, now, uid, 0);
        this.parts.log.warn(
          { pod: now.metadata?.name, node: now.spec?.nodeName },
          'a Pod whose node does not answer was removed by force; fencing keeps what may be left of it out',
        );
        return { phase: 'absent', reasonCode: 'NODE_LOST', text: 'Its node does not answer; it was given up.' };
      }
      if (wait.remainingMs() <= POLL_MS) break;
      await this.parts.clock.sleep(POLL_MS);
    }
    const seen = observationOf(pod, this.parts.calls.serverNow());
    return { phase: 'unknown', ref: refOf(pod), ...(seen.reasonCode && { reasonCode: seen.reasonCode }), text: seen.text ?? 'It is still terminating.' };
  }

  /** Keeps how it ended: once the Pod is gone nobody can say it any more. */
  private async note(deadline: Deadline, pod: V1Pod, known: ProviderObservation | undefined): Promise<ProviderObservation | undefined> {
    if (known !== undefined) return known;
    const seen = observationOf(pod, this.parts.calls.serverNow());
    return seen.phase === 'exited' ? this.parts.lastWords.addTo(deadline, pod, { ...seen, ref: refOf(pod) }) : undefined;
  }

  private isGivenUp(pod: V1Pod): boolean {
    const { policy, afterMs } = this.parts.unreachable;
    return policy === 'wait' && overdueMs(pod, this.parts.calls.serverNow()) > afterMs;
  }

  private async delete(deadline: Deadline, pod: V1Pod, uid: string, graceSeconds: number): Promise<void> {
    try {
      await this.parts.objects.deletePod(deadline, pod, { uid, graceSeconds });
    } catch (error) {
      if (!isConflict(error)) throw error;
      throw new ProviderError('IDENTITY_MISMATCH', `Pod ${pod.metadata?.name} is another one by now; it was not touched`, { cause: error });
    }
  }
}

/** Not asked yet, or asked with a longer grace. */
function needsDelete({ metadata }: V1Pod, graceSeconds: number): boolean {
  return metadata?.deletionTimestamp === undefined || (metadata.deletionGracePeriodSeconds ?? 0) > graceSeconds;
}
