import type { Bucket, BucketWatch } from '@plexus/bus';
import { encodeToken, plexusError } from '@plexus/contracts';
import { AbortedError, type Clock, timeout } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import type { Newcomer, Place, PresenceEntry, PresenceStore } from '../../application/presence.js';
import { PresenceWriter } from './presence-writer.js';

interface Lease {
  readonly at: number;
  /** Connections by tenant. */
  readonly tenants?: Readonly<Record<string, number>>;
}

/** An admission waits no longer than this for the bus. */
const TAKE_MS = 2_000;
/** Blind tries before the user's places are listed: almost always the first one is free. */
const BLIND_TRIES = 2;
const TAKE_ROUNDS = 5;
/** The newest connections that one answer lists. */
const MAX_LISTED = 5_000;
const READS_AT_ONCE = 64;
/** Leases are renewed every 4 s and expire after 12 s, without a word from the server: what was not renewed for so long is gone. */
const LEASE_MS = 13_000;
/** Who was not heard of for so long may count as gone elsewhere: after a stall of its own or one of the bus. */
const MISSED_MS = 10_000;
/** How often departed gateways are looked for, on average; each gateway at times of its own. */
const SWEEP_MS = 5_000;

/**
 * Connections in PLEXUS_PRESENCE: one entry per connection, written when it comes and removed when it goes, valid while its gateway's lease
 * in PLEXUS_NODES lives. The entry of a limited user is one of its numbered places, taken by `create`.
 */
export class StoredPresence implements PresenceStore {
  /** With the moment at which it was last heard of (monotonic, ms). */
  private readonly leases = new Map<string, { readonly lease: Lease; readonly heardAt: number }>();
  /** What this process has among the entries, until it is released. */
  private readonly held = new Map<string, PresenceEntry>();
  /** When this gateway last heard its own lease; undefined: never, or it was lost. */
  private ownHeardAt: number | undefined;
  private hasOwnLease = false;
  /** Whether gateways may have left without removing their entries; before this one started, too. */
  private someDeparted = true;
  private readonly writer: PresenceWriter;
  private readonly stopping = new AbortController();
  private watching: BucketWatch | undefined;
  private bucket: Bucket | undefined;
  private sweeper: Promise<void> | undefined;

  constructor(
    private readonly gatewayId: string,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'debug' | 'warn'>,
    private readonly random: () => number = Math.random,
  ) {
    this.writer = new PresenceWriter(() => this.open(), clock, log);
  }

  async start(bucket: Bucket, leases: Bucket): Promise<void> {
    this.bucket = bucket;
    this.watching = leases.watch('>', (change) => {
      const heardAt = this.clock.monotonic();
      if (change.key === this.gatewayId) this.heardOwn(change.kind === 'put' ? heardAt : undefined);
      if (change.kind === 'put') this.leases.set(change.key, { lease: change.entry.json<Lease>(), heardAt });
      else if (this.leases.delete(change.key)) this.someDeparted = true;
    });
    await this.watching.ready;
    this.sweeper = this.sweepForEver(leases);
  }

  /** Removes what is still written of this process, as far as the signal allows; the rest is removed by others. */
  async stop(signal: AbortSignal): Promise<void> {
    await this.writer.stop(signal);
    this.stopping.abort();
    await Promise.all([this.watching?.stop(), this.sweeper]);
  }

  take(newcomer: Newcomer, slots: number): Promise<Place | undefined> {
    const { tenant, entry } = newcomer;
    if (slots === 0) {
      const key = `${prefixOf(tenant, entry.user)}${entry.connId}`;
      this.writer.write(key, entry);
      return Promise.resolve(this.hold(key, entry));
    }
    const taking = this.takeNow(newcomer, slots);
    return timeout(taking, TAKE_MS, { what: 'a place among the connections' }).catch((error: unknown) => {
      // What is written after all would stay for ever: nobody holds it.
      taking.then((place) => place?.release()).catch(() => undefined); // it failed twice: nothing was written
      throw error;
    });
  }

  async list(tenant: string, user: string | undefined): Promise<PresenceEntry[]> {
    const bucket = this.open();
    // Those of this gateway that have only just come are shown as well.
    const entries = [...this.writer.waiting(user === undefined ? `conn.${tenant}.` : prefixOf(tenant, user))];
    const unwritten = new Set(entries.map(({ connId }) => connId));
    const keys = (await bucket.keys(`conn.${tenant}.${user === undefined ? '*' : encodeToken(user)}.*`)).slice(-MAX_LISTED);
    for (let from = 0; from < keys.length; from += READS_AT_ONCE) {
      for (const entry of await Promise.all(keys.slice(from, from + READS_AT_ONCE).map((key) => bucket.get(key)))) {
        const read = entry?.json<PresenceEntry>();
        if (read !== undefined && this.isAlive(read.gateway) && !unwritten.has(read.connId)) entries.push(read);
      }
    }
    return entries.sort((a, b) => a.ts - b.ts);
  }

  elsewhere(tenant: string): number {
    let count = 0;
    for (const [gateway, { lease }] of this.leases) if (gateway !== this.gatewayId && this.isAlive(gateway)) count += lease.tenants?.[tenant] ?? 0;
    return count;
  }

  private async takeNow({ tenant, entry }: Newcomer, slots: number): Promise<Place | undefined> {
    const prefix = prefixOf(tenant, entry.user);
    for (let blind = 0; blind < BLIND_TRIES; blind += 1) {
      const place = await this.write(`${prefix}${Math.floor(this.random() * slots)}`, entry);
      if (place !== undefined) return place;
    }
    for (let round = 0; round < TAKE_ROUNDS; round += 1) {
      const free = await this.freePlace(prefix, slots);
      if (free === undefined) return undefined;
      const place = await this.write(free.key, entry, free.revision);
      if (place !== undefined) return place;
    }
    return undefined;
  }

  /** A place that nobody holds, or one whose gateway is gone (with the revision to replace). */
  private async freePlace(prefix: string, slots: number): Promise<{ key: string; revision?: number } | undefined> {
    const bucket = this.open();
    const taken = new Set(await bucket.keys(`${prefix}*`));
    for (let slot = 0; slot < slots; slot += 1) {
      const key = `${prefix}${slot}`;
      if (!taken.has(key)) return { key };
      const entry = await bucket.get(key);
      if (entry === undefined) return { key };
      if (!this.isAlive(entry.json<PresenceEntry>().gateway)) return { key, revision: entry.revision };
    }
    return undefined;
  }

  private async write(key: string, entry: PresenceEntry, revision?: number): Promise<Place | undefined> {
    const bucket = this.open();
    const written = revision === undefined ? await bucket.create(key, entry) : await bucket.update(key, entry, revision);
    return written === undefined ? undefined : this.hold(key, entry);
  }

  private hold(key: string, entry: PresenceEntry): Place {
    this.held.set(key, entry);
    return new HeldPlace(key, entry, this);
  }

  /** The connection of an entry that was taken has gone. */
  release(key: string, entry: PresenceEntry): void {
    // A place with a number may have been lost to somebody else by now.
    if (this.held.get(key) === entry) this.held.delete(key);
    if (key.endsWith(`.${entry.connId}`)) this.writer.release(key);
    else this.writer.doLater(() => this.removeOwn(key, entry));
  }

  /** Others remove the entries of a gateway that was not heard of, though its connections outlive a stall: they are written again with its lease. */
  private heardOwn(at: number | undefined): void {
    const isBack = at !== undefined && this.hasOwnLease && (this.ownHeardAt === undefined || at - this.ownHeardAt >= MISSED_MS);
    if (at !== undefined) this.hasOwnLease = true;
    this.ownHeardAt = at;
    if (!isBack || this.held.size === 0) return;
    this.log.warn({ connections: this.held.size }, 'this gateway was not heard of for a while; its connections are listed again');
    for (const [key, entry] of this.held) this.writer.doLater(() => this.restore(key, entry));
  }

  private async restore(key: string, entry: PresenceEntry): Promise<void> {
    if (this.held.get(key) !== entry) return;
    // When the key is taken nothing was lost, or somebody else came in by that place: then this connection goes on without one.
    await this.open().create(key, entry);
    if (this.held.get(key) !== entry) await this.removeOwn(key, entry);
  }

  private removeOwn(key: string, entry: PresenceEntry): Promise<void> {
    return this.remove(key, ({ connId }) => connId === entry.connId);
  }

  private async remove(key: string, is: (entry: PresenceEntry) => boolean): Promise<void> {
    const entry = await this.open().get(key);
    // Somebody else's by now, or gone: then there is nothing of ours to remove.
    if (entry !== undefined && is(entry.json<PresenceEntry>())) await this.open().delete(key, entry.revision);
  }

  /** Entries of a departed gateway are not shown; they are removed once somebody saw that it is gone. */
  private async sweepForEver(leases: Bucket): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.pause(SWEEP_MS * (0.5 + this.random()));
      for (const gateway of [...this.leases.keys()]) {
        if (!this.isAlive(gateway)) this.someDeparted = this.leases.delete(gateway) || this.someDeparted;
      }
      if (!this.someDeparted || this.stopping.signal.aborted) continue;
      try {
        await this.sweep(leases);
        this.someDeparted = false;
      } catch (error) {
        this.log.debug({ error }, 'the presence of departed gateways could not be swept; tried again');
      }
    }
  }

  /** The leases are read behind the entries: a gateway has its lease before it writes any. */
  private async sweep(leases: Bucket): Promise<void> {
    const keys = await this.open().keys('conn.*.*.*');
    const alive = new Set(await leases.keys());
    for (let from = 0; from < keys.length && !this.stopping.signal.aborted; from += READS_AT_ONCE) {
      const page = keys.slice(from, from + READS_AT_ONCE);
      await Promise.all(page.map((key) => this.remove(key, ({ gateway }) => !alive.has(gateway) && !this.isAlive(gateway))));
    }
  }

  private isAlive(gateway: string): boolean {
    const known = this.leases.get(gateway);
    return gateway === this.gatewayId || (known !== undefined && this.clock.monotonic() - known.heardAt < LEASE_MS);
  }

  private async pause(ms: number): Promise<void> {
    try {
      await this.clock.sleep(ms, this.stopping.signal);
    } catch (error) {
      if (!(error instanceof AbortedError)) throw error;
    }
  }

  private open(): Bucket {
    if (this.bucket === undefined) throw plexusError('UNAVAILABLE', { message: 'the gateway is starting' });
    return this.bucket;
  }
}

class HeldPlace implements Place {
  constructor(
    private readonly key: string,
    private readonly entry: PresenceEntry,
    private readonly presence: Pick<StoredPresence, 'release'>,
  ) {}

  release(): void {
    this.presence.release(this.key, this.entry);
  }
}

/** Of the keys of one user's connections. */
function prefixOf(tenant: string, user: string): string {
  return `conn.${tenant}.${encodeToken(user)}.`;
}
