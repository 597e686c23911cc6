import { createHash } from 'node:crypto';
import { AbortedError, type Clock, stableStringify, timeout } from '@plexus/kernel';
import type { MeshFrameOf } from '@plexus/vm-protocol/link';
import type { JournalState } from '../domain/journal-state.js';
import type { Log, SnapshotBody } from './ports.js';
import type { Uplink } from './uplink.js';

/** A session that can say what the mesh should keep of it; undefined = nothing new, or nothing at all. */
export interface SnapshotSource {
  readonly id: string;
  snapshot(): Promise<SnapshotBody | undefined>;
}

export interface SnapshotsOptions {
  readonly uplink: Uplink;
  readonly state: JournalState;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs?: number;
  readonly maxBytes?: number;
}

const EVERY_MS = 60_000;
/** There is no object store between a VM and the mesh: what is larger stays in the workspace alone. */
const MAX_BYTES = 256 * 1024;
/** A session that has not said what it has by then is left out this time. */
const LIMIT_MS = 30_000;

/** Sends what the mesh should keep of each session: every minute, after each run and when asked. Unchanged content is not sent again. */
export class Snapshots {
  /** Sessions that say what they have at the moment, and whether that has to be done once more afterwards. */
  private readonly busy = new Map<string, { again: boolean; confirm: boolean; readonly done: Promise<void> }>();
  private readonly tooLarge = new Set<string>();
  /** Newest version of each session that this process has sent. */
  private readonly sent = new Map<string, number>();
  /** Newest version of each session that the mesh has confirmed. */
  private readonly confirmed = new Map<string, number>();

  constructor(private readonly options: SnapshotsOptions) {}

  /** Takes one of each session every minute until the signal aborts. */
  async run(sources: () => Iterable<SnapshotSource>, signal: AbortSignal): Promise<void> {
    const { clock, everyMs = EVERY_MS } = this.options;
    while (!signal.aborted) {
      try {
        await clock.sleep(everyMs, signal);
      } catch (error) {
        if (!(error instanceof AbortedError)) throw error;
        return;
      }
      await Promise.race([this.takeAll(sources()), aborted(signal)]);
    }
  }

  /**
   * Takes one of each of these. With `confirm` the mesh is told also of those that have not changed: it waits for a word of each. Never rejects.
   */
  async takeAll(sources: Iterable<SnapshotSource>, confirm = false): Promise<void> {
    // One after the other: each is built in memory as a whole.
    for (const source of sources) await this.take(source, confirm);
  }

  /** Takes one. When the session is at it already it is asked once more afterwards, because what it says now may be too old. Never rejects. */
  take(source: SnapshotSource, confirm = false): Promise<void> {
    const going = this.busy.get(source.id);
    if (going) {
      going.again = true;
      going.confirm ||= confirm;
      return going.done;
    }
    const work = { again: false, confirm, done: Promise.resolve() };
    this.busy.set(source.id, work);
    work.done = this.work(source, work).finally(() => this.busy.delete(source.id));
    return work.done;
  }

  /** The newest version of a session that was made here or handed over; 0 = none. */
  versionOf(sessionId: string): number {
    return this.options.state.snapshots.get(sessionId)?.version ?? 0;
  }

  /** The newest version that the mesh has confirmed by a word of its own; 0 = none. */
  confirmedOf(sessionId: string): number {
    return this.confirmed.get(sessionId) ?? 0;
  }

  /** False while something that was sent from here is not confirmed, or the newest could not be sent at all. */
  isSettled(sessionId: string): boolean {
    return !this.tooLarge.has(sessionId) && (this.sent.get(sessionId) ?? 0) <= this.confirmedOf(sessionId);
  }

  /** The mesh has stored a version. */
  acked({ session_id: sessionId, version }: MeshFrameOf<'snapshot_ack'>): void {
    if (sessionId === undefined || version > this.versionOf(sessionId)) return;
    this.confirmed.set(sessionId, Math.max(version, this.confirmedOf(sessionId)));
  }

  private async work(source: SnapshotSource, work: { again: boolean; confirm: boolean }): Promise<void> {
    do {
      const { confirm } = work;
      work.again = false;
      work.confirm = false;
      try {
        await this.send(source, confirm);
      } catch (error) {
        this.options.log('warn', 'no snapshot of a session', { sessionId: source.id, error });
      }
    } while (work.again);
  }

  private async send(source: SnapshotSource, confirm: boolean): Promise<void> {
    const { state, uplink, clock, maxBytes = MAX_BYTES } = this.options;
    const body = await timeout(source.snapshot(), LIMIT_MS, { clock, what: 'snapshot' });
    const known = state.snapshots.get(source.id);
    const content = body && contentOf(body);
    if (body && content && content.hash !== known?.hash && this.fits(source.id, content.bytes, maxBytes)) {
      const version = (known?.version ?? 0) + 1;
      const beside = { k: 'snapshot', sessionId: source.id, version, hash: content.hash } as const;
      this.sent.set(source.id, version);
      await uplink.post(frameOf(source.id, { version, kind: 'full', ...body }), { beside });
    } else if (confirm && known) {
      // Same number, no content: the mesh keeps what it has and knows that it is the newest.
      await uplink.post(frameOf(source.id, { version: known.version, kind: 'full', unchanged: true }));
    }
  }

  private fits(sessionId: string, bytes: number, maxBytes: number): boolean {
    const fits = bytes <= maxBytes;
    if (!fits && !this.tooLarge.has(sessionId))
      this.options.log('warn', 'snapshot too large to be sent, it stays in the workspace', { sessionId, bytes, maxBytes });
    if (fits) this.tooLarge.delete(sessionId);
    else this.tooLarge.add(sessionId);
    return fits;
  }
}

function contentOf(body: SnapshotBody): { readonly hash: string; readonly bytes: number } {
  const text = stableStringify(body);
  return { hash: createHash('sha256').update(text).digest('hex'), bytes: Buffer.byteLength(text) };
}

const frameOf = (sessionId: string, params: Record<string, unknown>) => ({ type: 'fire_and_forget', session_id: sessionId, method: 'snapshot_sync', params });

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
