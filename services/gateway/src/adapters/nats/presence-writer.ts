import type { Bucket } from '@plexus/bus';
import { AbortedError, type Clock, fullJitter, type Timer } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import type { PresenceEntry } from '../../application/presence.js';

/** An entry on its way into the bucket. */
interface Waiting {
  readonly entry: PresenceEntry;
  released: boolean;
  tried: boolean;
}

/**
 * A connection is written down when it has lasted so long. What comes and goes at once (a command, a probe, a page that is reloaded) costs the bus
 * nothing, and those that come together are written together.
 */
const WRITE_AFTER_MS = 250;
const AT_ONCE = 64;
/** Entries that wait to be written, or to be removed. */
const MAX_WAITING = 100_000;
const RETRY = { baseMs: 100, capMs: 5_000 };

/** Writes entries of connections in the background and removes them when they have gone, again and again until it is done. */
export class PresenceWriter {
  /** Oldest first; those that are being written are `tried`. */
  private readonly unwritten = new Map<string, Waiting>();
  private readonly due: (() => Promise<void>)[] = [];
  private doing = 0;
  private writing = 0;
  private timer: Timer | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly bucket: () => Bucket,
    private readonly clock: Pick<Clock, 'setTimeout' | 'sleep'>,
    private readonly log: Pick<Log, 'debug'>,
  ) {}

  /** Whom no limit can refuse need not wait: its entry follows, until {@link release}. `key` is this connection's own. */
  write(key: string, entry: PresenceEntry): void {
    // More than that only after a mass connect with the bus away; who is dropped here is connected and not listed.
    if (this.unwritten.size >= MAX_WAITING) return;
    this.unwritten.set(key, { entry, released: false, tried: false });
    this.timer ??= this.clock.setTimeout(() => this.begin(), WRITE_AFTER_MS).unref();
  }

  /** Entries that are not in the bucket yet. */
  *waiting(prefix: string): Iterable<PresenceEntry> {
    for (const [key, { entry, released }] of this.unwritten) if (!released && key.startsWith(prefix)) yield entry;
  }

  /** The connection of an entry that {@link write} took has gone. */
  release(key: string): void {
    const waiting = this.unwritten.get(key);
    if (waiting === undefined) this.doLater(() => this.delete(key));
    // While it is being written the writer removes it afterwards; what was never tried needs no removal.
    else if (waiting.tried) waiting.released = true;
    else this.unwritten.delete(key);
  }

  /** Does a removal, or the return of an entry that others removed, in the background, until it succeeds. */
  doLater(work: () => Promise<void>): void {
    // More than that only after a mass disconnect with the bus away; what is dropped here goes with this process's lease.
    if (this.due.length < MAX_WAITING) this.due.push(work);
    while (this.doing < AT_ONCE && this.due.length > 0) void this.doNext();
  }

  /** Removes what is still written, as far as the signal allows; the rest is removed by others. */
  async stop(signal: AbortSignal): Promise<void> {
    while ((this.due.length > 0 || this.doing > 0) && !signal.aborted) await this.clock.sleep(10);
    this.timer?.cancel();
    this.stopping.abort();
  }

  private begin(): void {
    this.timer = undefined;
    while (this.writing < AT_ONCE && this.writing < this.unwritten.size) void this.writeAll();
  }

  private async writeAll(): Promise<void> {
    this.writing += 1;
    for (let next = this.nextUntried(); next !== undefined; next = this.nextUntried()) {
      const [key, waiting] = next;
      await this.insist(async () => {
        if (!waiting.released) await this.bucket().put(key, waiting.entry);
      });
      this.unwritten.delete(key);
      if (waiting.released) this.doLater(() => this.delete(key));
    }
    this.writing -= 1;
  }

  private nextUntried(): [string, Waiting] | undefined {
    for (const [key, waiting] of this.unwritten) {
      if (waiting.tried) continue;
      waiting.tried = true;
      return [key, waiting];
    }
    return undefined;
  }

  private async doNext(): Promise<void> {
    this.doing += 1;
    for (let next = this.due.shift(); next !== undefined; next = this.due.shift()) await this.insist(next);
    this.doing -= 1;
  }

  private async delete(key: string): Promise<void> {
    await this.bucket().delete(key);
  }

  private async insist(work: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !this.stopping.signal.aborted; attempt += 1) {
      try {
        await work();
        return;
      } catch (error) {
        this.log.debug({ error }, 'the presence of a connection could not be written or removed; tried again');
        await this.pause(fullJitter(attempt, RETRY));
      }
    }
  }

  private async pause(ms: number): Promise<void> {
    try {
      await this.clock.sleep(ms, this.stopping.signal);
    } catch (error) {
      if (!(error instanceof AbortedError)) throw error;
    }
  }
}
