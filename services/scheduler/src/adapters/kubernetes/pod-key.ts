import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { IncarnationKey, ProviderRef } from '../../application/provider-port.js';
import { ANNOTATIONS, LABELS } from './names.js';

interface Object_ {
  readonly metadata?: V1ObjectMeta;
}

/** Which incarnation an object belongs to; undefined for what somebody else has made under our labels. */
export function keyOf({ metadata }: Object_): IncarnationKey | undefined {
  const vmId = metadata?.annotations?.[ANNOTATIONS.vmId];
  const epoch = Number(metadata?.labels?.[LABELS.epoch]);
  return vmId === undefined || !Number.isSafeInteger(epoch) || epoch < 1 ? undefined : { vmId, epoch };
}

/** True when the object was made for this very cluster; labels may be shortened, annotations are exact. */
export function belongsTo({ metadata }: Object_, cluster: string): boolean {
  return metadata?.annotations?.[ANNOTATIONS.cluster] === cluster;
}

/** Exactly this object; its name may be used again, its UID never is. */
export function refOf({ metadata }: Object_, kind: 'Pod' | 'Secret' = 'Pod'): ProviderRef {
  return { kind, namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', uid: metadata?.uid ?? '' };
}

/** Milliseconds since the object was made, by the clock of its server. */
export function ageOf({ metadata }: Object_, now: number): number {
  return metadata?.creationTimestamp === undefined ? 0 : Math.max(0, now - new Date(metadata.creationTimestamp).getTime());
}
