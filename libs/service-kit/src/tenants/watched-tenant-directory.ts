import { type ConfigIssue, type PlatformConfig, parsePlatformConfig, parseTenantConfig, type TenantConfig } from '@plexus/agent-config';
import type { Bucket, BucketChange } from '@plexus/bus';
import { isTenantId, NO_TENANT } from '@plexus/contracts';
import { type Clock, err, fullJitter, ok, type Result, retry, systemClock } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import type { Logger } from 'pino';
import { decodeConfigEntry, type EntryProblem } from '../config-store/config-entry.js';
import { readConfigEntry } from '../config-store/read-config-entry.js';
import type { ConfigChange, ConfigSnapshot, TenantDirectory } from './tenant-directory.js';

const EMPTY_PLATFORM: PlatformConfig = Object.freeze({ tenants: Object.freeze({}) });
/** Before an entry counts as unreadable; from then on it is read in the background. */
const READS = { attempts: 5, baseMs: 100, capMs: 2_000 };
const LATER_READS = { baseMs: 1_000, capMs: 30_000 };

const updates = counter('configUpdates');

/** A newer document that was not taken, and why. */
export interface RejectedDocument {
  readonly revision: number;
  readonly issues: readonly ConfigIssue[];
}

/** One kept revision of a key; no bytes: a deletion. */
export interface EarlierRevision {
  readonly seq: number;
  readonly raw: Uint8Array;
}

/** Kept revisions of a key, oldest first. */
export type ReadHistory = (key: string) => Promise<readonly EarlierRevision[]>;

interface Sources {
  readonly entries: Bucket;
  readonly parts: Bucket;
  readonly history: ReadHistory | undefined;
}

/** A put of the bucket, and what becomes of a valid document. */
interface Incoming<T> {
  readonly kind: 'platform' | 'tenant';
  readonly key: string;
  readonly revision: number;
  readonly value: Uint8Array;
  readonly parse: (value: unknown) => Result<T, ConfigIssue[]>;
  readonly use: (config: T, revision: number) => void;
}

/**
 * The tenant directory, kept current by watching PLEXUS_CONFIG. An invalid document is logged with every issue and counted, and the
 * last valid one stays in force (whoever starts later finds it in the history); so does the platform document when it is deleted, because without it every tenant would be unknown.
 *
 * A valid document of a tenant is first `desired`; it comes into force at once, or, with a gate, when the gate admits it.
 */
export class WatchedTenantDirectory implements TenantDirectory {
  private platformConfig: PlatformConfig = EMPTY_PLATFORM;
  private platformRevision = 0;
  private readonly desired = new Map<string, ConfigSnapshot>();
  private readonly inForce = new Map<string, ConfigSnapshot>();
  /** Documents with the platform's defaults filled in, as handed out. */
  private readonly effective = new Map<string, ConfigSnapshot>();
  private readonly rejections = new Map<string, RejectedDocument>();
  private readonly listeners = new Set<(change: ConfigChange) => void>();
  private gate: ((tenant: string) => void) | undefined;
  private sources: Sources | undefined;
  /** The newest revision that was heard of, of each key. */
  private readonly heard = new Map<string, number>();
  /** Keys that are being read; what comes meanwhile waits behind. */
  private readonly turns = new Map<string, Promise<void>>();
  /** Revisions that are read again in the background. */
  private readonly unread = new Map<string, number>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * Starts watching until the bus closes; settles when every document that exists was read. `parts`: where large documents lie.
   * `history`: where to look for the last valid version when the newest is none.
   */
  async start(entries: Bucket, parts: Bucket = entries, history?: ReadHistory): Promise<void> {
    this.sources = { entries, parts, history };
    await entries.watch('>', (change) => this.accept(change)).ready;
    if (this.platformConfig === EMPTY_PLATFORM)
      this.log.warn({ bucket: entries.name, key: NO_TENANT }, 'no platform configuration: every tenant is unknown until it is there');
  }

  /** Gives up reading again what could not be read. */
  async stop(): Promise<void> {
    this.stopping.abort();
  }

  /** From now on new documents of tenants wait until {@link admit}; `onDesired` is told of each. */
  setGate(onDesired: (tenant: string) => void): void {
    this.gate = onDesired;
  }

  /** The newest valid document of a tenant, in force or not. */
  desiredOf(tenant: string): ConfigSnapshot {
    return this.desired.get(tenant) ?? { config: defaultConfig(), revision: 0 };
  }

  /** The document in force, without the platform's defaults. */
  inForceOf(tenant: string): ConfigSnapshot {
    return this.inForce.get(tenant) ?? { config: defaultConfig(), revision: 0 };
  }

  /** Tenants that have a document, or had one since the start. */
  documented(): string[] {
    return [...new Set([...this.desired.keys(), ...this.inForce.keys()])];
  }

  rejectedOf(tenant: string): RejectedDocument | undefined {
    return this.rejections.get(tenant);
  }

  /** Brings the desired document into force and tells listeners. Nothing happens when it is. */
  admit(tenant: string): void {
    const desired = this.desired.get(tenant);
    if (desired === this.inForce.get(tenant)) return;
    if (desired === undefined) this.inForce.delete(tenant);
    else this.inForce.set(tenant, desired);
    this.effective.delete(tenant);
    this.log.info({ tenant, revision: desired?.revision }, 'tenant configuration applied');
    this.tell({ kind: 'tenant', tenant });
  }

  /** Reads every document again, whatever was heard of it. */
  async reread(): Promise<void> {
    const entries = this.sources?.entries;
    if (entries === undefined) return;
    for (const key of await entries.keys()) {
      await this.inTurn(key, async () => {
        const entry = await entries.get(key);
        if (entry !== undefined) await this.take({ kind: 'put', key, entry });
      });
    }
  }

  has(tenant: string): boolean {
    return Object.hasOwn(this.platformConfig.tenants, tenant);
  }

  platform(): PlatformConfig {
    return this.platformConfig;
  }

  get(tenant: string): TenantConfig | undefined {
    return this.snapshot(tenant)?.config;
  }

  revisionOf(tenant: string): number {
    return this.inForce.get(tenant)?.revision ?? 0;
  }

  snapshot(tenant: string): ConfigSnapshot | undefined {
    if (!this.has(tenant)) return undefined;
    const known = this.effective.get(tenant);
    if (known !== undefined) return known;
    const { config, revision } = this.inForceOf(tenant);
    const defaultOwner = config.defaultOwner ?? this.platformConfig.tenants[tenant]?.defaultOwner;
    const snapshot = Object.freeze({ config: Object.freeze({ ...config, ...(defaultOwner !== undefined && { defaultOwner }) }), revision });
    this.effective.set(tenant, snapshot);
    return snapshot;
  }

  onChange(fn: (change: ConfigChange) => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  private accept(change: BucketChange): void | Promise<void> {
    return this.inTurn(change.key, () => this.take(change));
  }

  /** Does `work` when nothing is being read of this key any more: at once, if that is so. */
  private inTurn(key: string, work: () => void | Promise<void>): void | Promise<void> {
    const before = this.turns.get(key);
    const done = before === undefined ? work() : before.then(work, work);
    if (done === undefined) return;
    const turn = done.finally(() => {
      if (this.turns.get(key) === turn) this.turns.delete(key);
    });
    this.turns.set(key, turn);
    return turn;
  }

  private take(change: BucketChange): void | Promise<void> {
    const revision = change.kind === 'put' ? change.entry.revision : change.revision;
    // Reading everything again may bring what a server that is behind still has.
    if (revision !== undefined && revision < (this.heard.get(change.key) ?? 0)) return;
    if (revision === undefined) this.heard.delete(change.key);
    else this.heard.set(change.key, revision);
    if (change.key === NO_TENANT) return this.acceptPlatform(change);
    if (isTenantId(change.key)) return this.acceptTenant(change.key, change);
    this.log.warn({ key: change.key }, 'ignoring a key of the configuration bucket that is no tenant id');
  }

  private acceptPlatform(change: BucketChange): void | Promise<void> {
    if (change.kind === 'delete') {
      updates.add(1, { document: 'platform', outcome: 'deleted' });
      this.log.error({ key: change.key }, 'the platform configuration was deleted; the last one stays in force');
      return;
    }
    const { key, entry } = change;
    return this.read({
      kind: 'platform',
      key,
      revision: entry.revision,
      value: entry.value,
      parse: parsePlatformConfig,
      use: (...valid) => this.usePlatform(...valid),
    });
  }

  private usePlatform(config: PlatformConfig, revision: number): void {
    this.platformConfig = config;
    this.platformRevision = revision;
    this.effective.clear();
    this.log.info({ revision, tenants: Object.keys(config.tenants).length }, 'platform configuration applied');
    this.tell({ kind: 'platform' });
  }

  private acceptTenant(tenant: string, change: BucketChange): void | Promise<void> {
    if (change.kind === 'put') {
      const { key, entry } = change;
      const use = (config: TenantConfig, revision: number): void => this.want(tenant, { config, revision });
      return this.read({ kind: 'tenant', key, revision: entry.revision, value: entry.value, parse: parseTenantConfig, use });
    }
    updates.add(1, { document: 'tenant', outcome: 'deleted' });
    this.rejections.delete(tenant);
    this.want(tenant, undefined);
  }

  private want(tenant: string, document: ConfigSnapshot | undefined): void {
    if (document === undefined) this.desired.delete(tenant);
    else if (document.revision <= (this.desired.get(tenant)?.revision ?? 0)) return;
    else this.desired.set(tenant, Object.freeze(document));
    if (this.gate === undefined) this.admit(tenant);
    else this.gate(tenant);
  }

  private read<T>(incoming: Incoming<T>): void | Promise<void> {
    const decoded = decodeConfigEntry(incoming.value);
    if (!decoded.ok) return this.settle(incoming, decoded);
    if (decoded.value.kind === 'entry') return this.settle(incoming, ok(decoded.value.entry));
    const { clock, stopping } = this;
    const reading = retry(() => this.readEntry(incoming.value), { ...READS, clock, signal: stopping.signal, isRetryable: () => true });
    return reading.then(
      (entry) => this.settle(incoming, entry),
      (cause: Error) => {
        void this.readLater(incoming);
        return this.settle(incoming, err({ code: 'parts_unreadable', message: cause.message }));
      },
    );
  }

  private readEntry(value: Uint8Array): Promise<Result<{ readonly document: unknown }, EntryProblem>> {
    return readConfigEntry(value, (this.sources as Sources).parts);
  }

  private settle<T>(incoming: Incoming<T>, entry: Result<{ readonly document: unknown }, EntryProblem>): void | Promise<void> {
    const { kind, key, revision, parse, use } = incoming;
    const parsed = entry.ok ? parse(entry.value.document) : err([{ path: '', ...entry.error }]);
    updates.add(1, { document: kind, outcome: parsed.ok ? 'applied' : 'invalid' });
    if (parsed.ok) {
      this.rejections.delete(key);
      use(parsed.value, revision);
      return;
    }
    this.rejections.set(key, { revision, issues: parsed.error.slice(0, 20) });
    this.log.error({ key, revision, issues: parsed.error }, 'a configuration document is invalid; the last valid one stays in force');
    if (kind === 'tenant') this.gate?.(key);
    if (this.sources?.history !== undefined) return this.goBack(incoming, this.sources.history);
  }

  /** Reads an entry whose parts could not be read until they can, or a newer one has come. */
  private async readLater<T>(incoming: Incoming<T>): Promise<void> {
    const { key, revision, value } = incoming;
    if (this.unread.get(key) === revision) return;
    this.unread.set(key, revision);
    const isNewest = (): boolean => this.heard.get(key) === revision && !this.stopping.signal.aborted;
    for (let attempt = 1; isNewest(); attempt += 1) {
      // Aborted: this process stops.
      await this.clock.sleep(fullJitter(attempt, LATER_READS), this.stopping.signal).catch(() => undefined);
      if (!isNewest()) break;
      const entry = await this.readEntry(value).catch((error: unknown) => {
        this.log.debug({ err: error, key, revision, attempt }, 'a configuration document still cannot be read; tried again');
      });
      if (entry === undefined) continue;
      await this.inTurn(key, () => (isNewest() ? this.settle(incoming, entry) : undefined));
      break;
    }
    if (this.unread.get(key) === revision) this.unread.delete(key);
  }

  /** Takes the last valid version before an invalid one, unless it is in force: a process that has just started runs with what the others run with. */
  private async goBack<T>(incoming: Incoming<T>, history: ReadHistory): Promise<void> {
    const { kind, key, revision, parse, use } = incoming;
    const known = kind === 'platform' ? this.platformRevision : (this.desired.get(key)?.revision ?? 0);
    const { clock, stopping } = this;
    let kept: readonly EarlierRevision[];
    try {
      kept = await retry(() => history(key), { ...READS, clock, signal: stopping.signal, isRetryable: () => true });
    } catch (error) {
      this.log.error({ err: error, key, revision, inForce: known }, 'earlier versions of an invalid configuration document cannot be read');
      return;
    }
    for (const { seq, raw } of [...kept].reverse()) {
      if (seq >= revision) continue;
      if (seq <= known) return;
      if (raw.length === 0) {
        // A deletion of the platform document changes nothing, that of a tenant brings the defaults back.
        if (kind === 'platform') continue;
        return this.want(key, undefined);
      }
      const entry = await this.readEntry(raw).catch((error: Error) => err({ code: 'parts_unreadable', message: error.message }));
      const parsed = entry.ok ? parse(entry.value.document) : entry;
      if (!parsed.ok) continue;
      this.log.warn({ key, revision: seq, invalid: revision }, 'an earlier version of an invalid configuration document is in force');
      return use(parsed.value, seq);
    }
  }

  private tell(change: ConfigChange): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(change);
      } catch (error) {
        this.log.error({ error, change }, 'a listener for configuration changes failed');
      }
    }
  }
}

let cachedDefault: TenantConfig | undefined;

/** What a tenant has that the platform declares and that configured nothing. */
function defaultConfig(): TenantConfig {
  if (cachedDefault === undefined) {
    const parsed = parseTenantConfig({});
    if (!parsed.ok) throw new TypeError('the empty tenant configuration must be valid');
    cachedDefault = parsed.value;
  }
  return cachedDefault;
}
