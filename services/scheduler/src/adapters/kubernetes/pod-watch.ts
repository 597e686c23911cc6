import type { V1Pod } from '@kubernetes/client-node';
import { type Clock, fullJitter, isAbortError } from '@plexus/kernel';
import { isExpired } from './api-failure.js';
import type { Connection, WatchHandle } from './connection.js';
import type { Listed } from './cluster-objects.js';

export interface PodWatchParts {
  readonly connection: Pick<Connection, 'watch'>;
  readonly path: string;
  readonly labelSelector: string;
  readonly list: () => Promise<Listed<V1Pod>>;
  /** Everything there is; what is not in it is gone. */
  readonly onList: (pods: readonly V1Pod[]) => void;
  readonly onPod: (pod: V1Pod, deleted: boolean) => void;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  readonly timings?: Partial<WatchTimings>;
  readonly random?: () => number;
}

export interface WatchTimings {
  /** How long the server keeps one watch open. */
  readonly watchMs: number;
  /** Everything is listed anew after so long, even when nothing was missed. */
  readonly relistMs: number;
  /** Neither event nor bookmark for so long: the connection is dead, whatever it says. */
  readonly quietMs: number;
}

const TIMINGS: WatchTimings = { watchMs: 300_000, relistMs: 300_000, quietMs: 90_000 };
const BACKOFF = { baseMs: 250, capMs: 10_000 };

interface End {
  /** Where to go on; undefined: the server has forgotten, list anew. */
  readonly version: string | undefined;
  readonly error: unknown;
  readonly heard: boolean;
}

/** List, then watch from there, and again for whatever reason it ends: until it is stopped. */
export class PodWatch {
  private readonly stopping = new AbortController();
  private readonly timings: WatchTimings;
  private readonly running: Promise<void>;
  /** Full lists so far, and watches; for metrics and tests. */
  lists = 0;
  watches = 0;

  constructor(private readonly parts: PodWatchParts) {
    this.timings = { ...TIMINGS, ...parts.timings };
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, log, random } = this.parts;
    const { signal } = this.stopping;
    let version: string | undefined;
    let listedAt = 0;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (version === undefined || clock.monotonic() - listedAt >= this.timings.relistMs) {
          version = await this.list();
          listedAt = clock.monotonic();
        }
        const end = await this.follow(version);
        version = end.version;
        failures = end.heard ? 0 : failures + 1;
        if (end.error !== undefined && !signal.aborted) log.warn({ err: end.error }, 'a watch on Pods ended early; it is opened again');
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (isExpired(error)) version = undefined;
        log.warn({ err: error }, 'Pods cannot be listed; trying again');
      }
      if (!signal.aborted) await clock.sleep(fullJitter(failures, { ...BACKOFF, ...(random && { random }) }), signal).catch(ignoreAbort);
    }
  }

  private async list(): Promise<string> {
    const { items, resourceVersion } = await this.parts.list();
    this.lists += 1;
    if (!this.stopping.signal.aborted) this.parts.onList(items);
    return resourceVersion;
  }

  /** One watch, to its end. */
  private follow(from: string): Promise<End> {
    const { connection, path, labelSelector, onPod, clock } = this.parts;
    const { signal } = this.stopping;
    const query = { resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds: Math.ceil(this.timings.watchMs / 1_000), labelSelector };
    return new Promise((resolve) => {
      let version: string | undefined = from;
      let heard = false;
      let handle: WatchHandle | undefined;
      let over = false;
      const finish = (error: unknown): void => {
        if (over) return;
        over = true;
        quiet.cancel();
        signal.removeEventListener('abort', stop);
        handle?.abort();
        resolve({ version, error: error ?? undefined, heard });
      };
      const stop = (): void => finish(undefined);
      const silent = (): void => finish(new Error(`neither event nor bookmark for ${this.timings.quietMs} ms`));
      let quiet = clock.setTimeout(silent, this.timings.quietMs).unref();
      signal.addEventListener('abort', stop, { once: true });
      const onEvent = (type: string, object: unknown): void => {
        if (over) return;
        quiet.cancel();
        quiet = clock.setTimeout(silent, this.timings.quietMs).unref();
        if (type === 'ERROR') {
          // 410: what we want to go on from is no longer kept. Anything else, too, is repaired by a new list.
          version = undefined;
          finish(new Error(`the API server ended it: ${(object as { message?: string }).message ?? 'no message'}`));
          return;
        }
        heard = true;
        const pod = object as V1Pod;
        version = pod.metadata?.resourceVersion ?? version;
        if (type !== 'BOOKMARK') onPod(pod, type === 'DELETED');
      };
      this.watches += 1;
      connection
        .watch(path, query, onEvent, (error) => {
          if (isGone(error)) version = undefined;
          finish(error);
        })
        .then((opened) => {
          handle = opened;
          if (over) opened.abort();
        }, finish);
    });
  }
}

function isGone(error: unknown): boolean {
  return (error as { statusCode?: number } | undefined)?.statusCode === 410;
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) throw error;
}
