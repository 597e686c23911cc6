import type { V1Pod } from '@kubernetes/client-node';
import { type Clock, isAbortError } from '@plexus/kernel';
import type { IncarnationKey } from '../../application/provider-port.js';
import type { Listed } from './cluster-objects.js';
import type { Connection } from './connection.js';
import { PodCache } from './pod-cache.js';
import { PodWatch, type WatchTimings } from './pod-watch.js';

export interface PodFeedParts {
  readonly connection: Connection;
  readonly path: string;
  readonly labelSelector: string;
  readonly list: () => Promise<Listed<V1Pod>>;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  readonly timings?: Partial<WatchTimings>;
}

/** How often it is said again that something is gone. */
const REPEAT_MS = 1_000;
const STOP_MS = 2_000;

/** Tells when an incarnation should be looked at: after each change of its Pod, and every second once it runs no more. */
export class PodFeed {
  private readonly cache: PodCache;
  private keys = new Map<string, IncarnationKey>();
  private onChange: (key: IncarnationKey) => void = () => undefined;
  private current: PodWatch | undefined;
  private repeating: NodeJS.Timeout | undefined;

  constructor(private readonly parts: PodFeedParts) {
    this.cache = new PodCache(
      () => parts.connection.calls.serverNow(),
      (key) => {
        if (this.keys.has(nameOf(key))) this.onChange(key);
      },
    );
  }

  /** Replaces what was watched; without keys it ends. */
  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void {
    this.keys = new Map(keys.map((key) => [nameOf(key), key]));
    this.onChange = onChange;
    if (keys.length === 0) {
      void this.stop();
      return;
    }
    this.repeating ??= setInterval(() => this.repeat(), REPEAT_MS).unref();
    this.current ??= new PodWatch({
      ...this.parts,
      onList: (pods) => this.cache.replace(pods),
      onPod: (pod, deleted) => this.cache.note(pod, deleted),
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.repeating);
    this.repeating = undefined;
    const ending = this.current?.stop();
    this.current = undefined;
    this.cache.clear();
    if (ending === undefined) return;
    // A list that hangs ends with its own limit; nobody waits for it.
    const patience = new AbortController();
    await Promise.race([ending.finally(() => patience.abort()), this.parts.clock.sleep(STOP_MS, patience.signal).catch(ignoreAbort)]);
  }

  private repeat(): void {
    if (!this.cache.synced) return;
    for (const key of this.keys.values()) if (!this.cache.mayRun(key)) this.onChange(key);
  }
}

function nameOf({ vmId, epoch }: IncarnationKey): string {
  return `${vmId}/${epoch}`;
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) throw error;
}
