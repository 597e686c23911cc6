import { randomBytes } from 'node:crypto';
import type { Database } from '@plexus/database';
import type { TenantKeys } from '../../application/ports.js';

const KEY_BYTES = 32;
const MAX_CACHED = 10_000;

const READ = 'SELECT mac_key FROM tenant WHERE tenant_id = $1';
const CREATE = 'INSERT INTO tenant (tenant_id, mac_key) VALUES ($1, $2) ON CONFLICT DO NOTHING';

/** Keys live in the table `tenant`, which the role of ordinary statements may not read; here they are cached for the life of the process. */
export class PostgresTenantKeys implements TenantKeys {
  readonly #keys = new Map<string, Uint8Array>();

  constructor(private readonly database: Database) {}

  async macKey(tenant: string): Promise<Uint8Array> {
    const cached = this.#keys.get(tenant);
    if (cached !== undefined) return cached;
    const key = (await this.#read(tenant)) ?? (await this.#create(tenant));
    if (this.#keys.size >= MAX_CACHED) this.#keys.clear();
    this.#keys.set(tenant, key);
    return key;
  }

  async #create(tenant: string): Promise<Uint8Array> {
    await this.database.query('memory_create_tenant', CREATE, [tenant, randomBytes(KEY_BYTES)]);
    // Read back: of two replicas that create at once, one key is the tenant's.
    const key = await this.#read(tenant);
    if (key === undefined) throw new Error('a tenant key vanished right after it was created');
    return key;
  }

  async #read(tenant: string): Promise<Uint8Array | undefined> {
    const [row] = await this.database.query<{ mac_key: Uint8Array }>('memory_read_tenant', READ, [tenant]);
    return row?.mac_key;
  }
}
