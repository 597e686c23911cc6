import { type ConfigIssue, type PlatformConfig, parsePlatformConfig, parseTenantConfig, type TenantConfig } from '@plexus/agent-config';
import type { Bucket, BucketChange } from '@plexus/bus';
import { isTenantId, NO_TENANT } from '@plexus/contracts';
import { parseJson, type Result } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { ConfigChange, TenantDirectory } from './tenant-directory.js';

/** A document of the bucket may not be larger: what is larger travels as parts in the object store. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;
const EMPTY_PLATFORM: PlatformConfig = Object.freeze({ tenants: Object.freeze({}) });

const updates = counter('configUpdates');

/**
 * The tenant directory, kept current by watching PLEXUS_CONFIG. An invalid document is logged with every issue and counted, and the
 * last good one stays in force; so does the platform document when it is deleted, because without it every tenant would be unknown.
 */
export class WatchedTenantDirectory implements TenantDirectory {
  private platformConfig: PlatformConfig = EMPTY_PLATFORM;
  private readonly documents = new Map<string, TenantConfig>();
  /** Documents with the platform's defaults filled in, as handed out. */
  private readonly effective = new Map<string, TenantConfig>();
  private readonly listeners = new Set<(change: ConfigChange) => void>();

  constructor(private readonly log: Logger) {}

  /** Starts watching until the bus closes; settles when every document that exists was read. */
  async start(bucket: Bucket): Promise<void> {
    await bucket.watch('>', (change) => this.accept(change)).ready;
    if (this.platformConfig === EMPTY_PLATFORM)
      this.log.warn({ bucket: bucket.name, key: NO_TENANT }, 'no platform configuration: every tenant is unknown until it is there');
  }

  has(tenant: string): boolean {
    return Object.hasOwn(this.platformConfig.tenants, tenant);
  }

  platform(): PlatformConfig {
    return this.platformConfig;
  }

  get(tenant: string): TenantConfig | undefined {
    if (!this.has(tenant)) return undefined;
    const known = this.effective.get(tenant);
    if (known !== undefined) return known;
    const document = this.documents.get(tenant) ?? defaultConfig();
    const defaultOwner = document.defaultOwner ?? this.platformConfig.tenants[tenant]?.defaultOwner;
    const config = Object.freeze({ ...document, ...(defaultOwner !== undefined && { defaultOwner }) });
    this.effective.set(tenant, config);
    return config;
  }

  onChange(fn: (change: ConfigChange) => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  private accept(change: BucketChange): void {
    if (change.key === NO_TENANT) this.acceptPlatform(change);
    else if (isTenantId(change.key)) this.acceptTenant(change.key, change);
    else this.log.warn({ key: change.key }, 'ignoring a key of the configuration bucket that is no tenant id');
  }

  private acceptPlatform(change: BucketChange): void {
    if (change.kind === 'delete') {
      updates.add(1, { document: 'platform', outcome: 'deleted' });
      this.log.error({ key: change.key }, 'the platform configuration was deleted; the last one stays in force');
      return;
    }
    const config = this.read('platform', change.key, change.entry, parsePlatformConfig);
    if (config === undefined) return;
    this.platformConfig = config;
    this.effective.clear();
    this.log.info({ revision: change.entry.revision, tenants: Object.keys(config.tenants).length }, 'platform configuration applied');
    this.tell({ kind: 'platform' });
  }

  private acceptTenant(tenant: string, change: BucketChange): void {
    if (change.kind === 'delete') {
      updates.add(1, { document: 'tenant', outcome: 'deleted' });
      this.documents.delete(tenant);
    } else {
      const config = this.read('tenant', tenant, change.entry, parseTenantConfig);
      if (config === undefined) return;
      this.documents.set(tenant, config);
    }
    this.effective.delete(tenant);
    this.log.info({ tenant, revision: change.kind === 'put' ? change.entry.revision : undefined }, 'tenant configuration applied');
    this.tell({ kind: 'tenant', tenant });
  }

  private read<T>(
    document: 'platform' | 'tenant',
    key: string,
    entry: { readonly value: Uint8Array; readonly revision: number },
    parse: (value: unknown) => Result<T, ConfigIssue[]>,
  ): T | undefined {
    const json = parseJson(entry.value, { maxBytes: MAX_DOCUMENT_BYTES });
    const parsed = json.ok ? parse(json.value) : { ok: false as const, error: [{ path: '', code: json.error.code, message: json.error.message }] };
    updates.add(1, { document, outcome: parsed.ok ? 'applied' : 'invalid' });
    if (parsed.ok) return parsed.value;
    this.log.error({ key, revision: entry.revision, issues: parsed.error }, 'a configuration document is invalid; the last valid one stays in force');
    return undefined;
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
