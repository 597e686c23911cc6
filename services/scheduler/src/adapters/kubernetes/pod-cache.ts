import type { V1Pod } from '@kubernetes/client-node';
import type { IncarnationKey } from '../../application/provider-port.js';
import { keyOf } from './pod-key.js';
import { observationOf } from './pod-observation.js';

interface Entry extends IncarnationKey {
  readonly uid: string;
  /** Phase and reason: what a decision could depend on. */
  readonly digest: string;
  readonly over: boolean;
}

/** More than one cluster runs; what is beyond is not remembered, and then looked at one by one. */
const MAX_ENTRIES = 50_000;

/** What a watch has seen of the Pods of a mesh, by VM: some hundred bytes for each, never whole Pods. */
export class PodCache {
  private entries = new Map<string, Entry>();
  /** A full list has been seen: what is not here does not exist, or not yet. */
  synced = false;

  constructor(
    private readonly now: () => number,
    private readonly onChange: (key: IncarnationKey) => void,
    private readonly capacity = MAX_ENTRIES,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** Takes a full list. */
  replace(pods: readonly V1Pod[]): void {
    const before = this.entries;
    this.entries = new Map();
    for (const pod of pods) this.put(pod, before);
    this.synced = true;
    for (const [vmId, entry] of before) if (this.entries.get(vmId)?.uid !== entry.uid) this.onChange(entry);
  }

  note(pod: V1Pod, deleted: boolean): void {
    if (!deleted) {
      this.put(pod, this.entries);
      return;
    }
    const vmId = keyOf(pod)?.vmId ?? '';
    const known = this.entries.get(vmId);
    if (known === undefined || known.uid !== pod.metadata?.uid) return; // its successor is here already
    this.entries.delete(vmId);
    this.onChange(known);
  }

  /** False: nothing of this incarnation runs any more, as far as the watch knows. */
  mayRun({ vmId, epoch }: IncarnationKey): boolean {
    const entry = this.entries.get(vmId);
    return entry !== undefined && entry.epoch === epoch && !entry.over;
  }

  clear(): void {
    this.entries.clear();
    this.synced = false;
  }

  private put(pod: V1Pod, before: ReadonlyMap<string, Entry>): void {
    const key = keyOf(pod);
    if (key === undefined || (!this.entries.has(key.vmId) && this.entries.size >= this.capacity)) return;
    const { phase, reasonCode, text } = observationOf(pod, this.now());
    const digest = `${phase} ${reasonCode ?? ''} ${text ?? ''}`.slice(0, 200);
    const known = before.get(key.vmId);
    const uid = pod.metadata?.uid ?? '';
    this.entries.set(key.vmId, { ...key, uid, digest, over: phase === 'exited' });
    if (known?.uid !== uid || known.digest !== digest) this.onChange(key);
  }
}
