import { randomBytes } from 'node:crypto';
import type { Database } from '@plexus/database';
import { ConfigurationError } from '@plexus/kernel';
import type { TenantKeys } from '../../application/ports.js';
import type { KeyWrap } from '../crypto/key-wrap.js';

const KEY_BYTES = 32;
const MAX_CACHED = 10_000;

const READ = 'SELECT tenant_id, mac_key, wrapped_key FROM tenant WHERE tenant_id = $1';
const READ_ALL = 'SELECT tenant_id, mac_key, wrapped_key FROM tenant ORDER BY tenant_id FOR UPDATE';
const CREATE = 'INSERT INTO tenant (tenant_id, mac_key, wrapped_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';
const WRAP = 'UPDATE tenant SET mac_key = NULL, wrapped_key = $2 WHERE tenant_id = $1';

interface KeyRow {
  readonly tenant_id: string;
  readonly mac_key: Uint8Array | null;
  readonly wrapped_key: string | null;
}

export interface Rewrapped {
  /** Keys that lay open until now. */
  readonly wrapped: number;
  /** Keys that the previous master key had wrapped. */
  readonly rotated: number;
}

/**
 * Keys live in the table `tenant`, which the role of ordinary statements may not read, wrapped by the master key where there is one; opened
 * ones are cached for the life of the process.
 */
export class PostgresTenantKeys implements TenantKeys {
  readonly #keys = new Map<string, Uint8Array>();

  constructor(
    private readonly database: Database,
    private readonly wrap?: KeyWrap,
  ) {}

  async macKey(tenant: string): Promise<Uint8Array> {
    const cached = this.#keys.get(tenant);
    if (cached !== undefined) return cached;
    const key = (await this.#read(tenant)) ?? (await this.#create(tenant));
    if (this.#keys.size >= MAX_CACHED) this.#keys.clear();
    this.#keys.set(tenant, key);
    return key;
  }

  /**
   * Wraps what lies open and what the previous master key wrapped, in one transaction. Rejects with ConfigurationError when a key cannot be
   * opened: with a new one in its place a tenant's memories would no longer be recognised.
   */
  async rewrap(): Promise<Rewrapped> {
    return this.database.transaction(async (tx) => {
      const counts = { wrapped: 0, rotated: 0 };
      for (const row of await tx.query<KeyRow>('memory_read_tenants', READ_ALL)) {
        const key = this.#open(row);
        if (this.wrap === undefined || (row.wrapped_key !== null && !this.wrap.isOld(row.wrapped_key))) continue;
        await tx.query('memory_wrap_tenant', WRAP, [row.tenant_id, this.wrap.wrap(key, row.tenant_id)]);
        counts[row.wrapped_key === null ? 'wrapped' : 'rotated'] += 1;
      }
      return counts;
    });
  }

  async #create(tenant: string): Promise<Uint8Array> {
    const made = randomBytes(KEY_BYTES);
    const [open, wrapped] = this.wrap === undefined ? [made, null] : [null, this.wrap.wrap(made, tenant)];
    await this.database.query('memory_create_tenant', CREATE, [tenant, open, wrapped]);
    // Read back: of two replicas that create at once, one key is the tenant's.
    const key = await this.#read(tenant);
    if (key === undefined) throw new Error('a tenant key vanished right after it was created');
    return key;
  }

  async #read(tenant: string): Promise<Uint8Array | undefined> {
    const [row] = await this.database.query<KeyRow>('memory_read_tenant', READ, [tenant]);
    return row && this.#open(row);
  }

  #open({ tenant_id: tenant, mac_key: open, wrapped_key: wrapped }: KeyRow): Uint8Array {
    const key = open ?? (wrapped === null ? undefined : this.wrap?.open(wrapped, tenant));
    if (key !== undefined) return key;
    const masterKey = wrapped?.split('.')[1] ?? 'unknown';
    throw new ConfigurationError(
      `the key of tenant ${tenant} is wrapped by the master key ${masterKey}, which is not here; name it with PLEXUS_MASTER_KEY_FILE or PLEXUS_MASTER_KEY_PREVIOUS_FILE`,
    );
  }
}
