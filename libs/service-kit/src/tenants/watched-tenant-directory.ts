import { type ConfigIssue, type PlatformConfig, parsePlatformConfig, parseTenantConfig, type TenantConfig } from '@plexus/agent-config';
import type { Bucket, BucketChange } from '@plexus/bus';
import { isTenantId, NO_TENANT } from '@plexus/contracts';
import { err, ok, type Result, retry } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import type { Logger } from 'pino';
import { decodeConfigEntry, type EntryProblem } from '../config-store/config-entry.js';
import { readConfigEntry } from '../config-store/read-config-entry.js';
import type { ConfigChange, ConfigSnapshot, TenantDirectory } from './tenant-directory.js';

const EMPTY_PLATFORM: PlatformConfig = Object.freeze({ tenants: Object.freeze({}) });
/** Parts are read from the server that has just sent the entry: what does not come within some seconds is gone. */
const PART_READS = { attempts: 5, baseMs: 100, capMs: 2_000 };

const updates = counter('configUpdates');

/** A newer document that was not taken, and why. */
export interface RejectedDocument {
  readonly revision: number;
  readonly issues: readonly ConfigIssue[];
}

/**
 * The tenant directory, kept current by watching PLEXUS_CONFIG. An invalid document is logged with every issue and counted, and the
 * last good one stays in force; so does the platform document when it is deleted, because without it every tenant would be unknown.
 *
 * A valid document of a tenant is first `desired`; it comes into force at once, or, with a gate, when the gate admits it.
 */
export class WatchedTenantDirectory implements TenantDirectory {
  private platformConfig: PlatformConfig = EMPTY_PLATFORM;
  private readonly desired = new Map<string, ConfigSnapshot>();
  private readonly inForce = new Map<string, ConfigSnapshot>();
  /** Documents with the platform's defaults filled in, as handed out. */
  private readonly effective = new Map<string, ConfigSnapshot>();
  private readonly rejections = new Map<string, RejectedDocument>();
  private readonly listeners = new Set<(change: ConfigChange) => void>();
  private gate: ((tenant: string) => void) | undefined;
  private buckets: { readonly entries: Bucket; readonly parts: Bucket } | undefined;

  constructor(private readonly log: Logger) {}

  /** Starts watching until the bus closes; settles when every document that exists was read. `parts`: where large documents lie. */
  async start(entries: Bucket, parts: Bucket = entries): Promise<void> {
    this.buckets = { entries, parts };
    await entries.watch('>', (change) => this.accept(change)).ready;
    if (this.platformConfig === EMPTY_PLATFORM)
      this.log.warn({ bucket: entries.name, key: NO_TENANT }, 'no platform configuration: every tenant is unknown until it is there');
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
    if (this.buckets === undefined) return;
    for (const key of await this.buckets.entries.keys()) {
      const entry = await this.buckets.entries.get(key);
      if (entry !== undefined) await this.accept({ kind: 'put', key, entry });
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
    return this.read('platform', change, parsePlatformConfig, (config) => {
      this.platformConfig = config;
      this.effective.clear();
      this.log.info({ revision: change.entry.revision, tenants: Object.keys(config.tenants).length }, 'platform configuration applied');
      this.tell({ kind: 'platform' });
    });
  }

  private acceptTenant(tenant: string, change: BucketChange): void | Promise<void> {
    if (change.kind === 'put')
      return this.read('tenant', change, parseTenantConfig, (config) => this.want(tenant, { config, revision: change.entry.revision }));
    updates.add(1, { document: 'tenant', outcome: 'deleted' });
    this.want(tenant, undefined);
  }

  private want(tenant: string, document: ConfigSnapshot | undefined): void {
    if (document === undefined) this.desired.delete(tenant);
    else if (document.revision === this.desired.get(tenant)?.revision) return;
    else this.desired.set(tenant, Object.freeze(document));
    if (this.gate === undefined) this.admit(tenant);
    else this.gate(tenant);
  }

  private read<T>(
    document: 'platform' | 'tenant',
    change: BucketChange & { readonly kind: 'put' },
    parse: (value: unknown) => Result<T, ConfigIssue[]>,
    use: (config: T) => void,
  ): void | Promise<void> {
    const { parts } = this.buckets as NonNullable<typeof this.buckets>;
    const settle = (entry: Result<{ readonly document: unknown }, EntryProblem>): void => {
      const parsed = entry.ok ? parse(entry.value.document) : err([{ path: '', ...entry.error }]);
      updates.add(1, { document, outcome: parsed.ok ? 'applied' : 'invalid' });
      if (parsed.ok) {
        this.rejections.delete(change.key);
        use(parsed.value);
        return;
      }
      const { key } = change;
      const { revision } = change.entry;
      this.rejections.set(key, { revision, issues: parsed.error.slice(0, 20) });
      this.log.error({ key, revision, issues: parsed.error }, 'a configuration document is invalid; the last valid one stays in force');
      if (document === 'tenant') this.gate?.(key);
    };
    const decoded = decodeConfigEntry(change.entry.value);
    if (!decoded.ok) return settle(decoded);
    if (decoded.value.kind === 'entry') return settle(ok(decoded.value.entry));
    const reading = retry(() => readConfigEntry(change.entry.value, parts), { ...PART_READS, isRetryable: () => true });
    return reading.then(settle, (cause: Error) => settle(err({ code: 'parts_unreadable', message: cause.message })));
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
