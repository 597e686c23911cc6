import type { Database } from '@plexus/database';
import { ConfigurationError } from '@plexus/kernel';
import type { ProviderSecrets } from '../../application/provider-secrets.js';
import type { SecretBox, SecretName } from '../secret-box.js';

interface SecretRow {
  readonly tenant_id: string;
  readonly subject_id: string;
  readonly name: string;
  readonly key_id: string;
  readonly sealed: Uint8Array;
}

const KEY = 'tenant_id = $1 AND subject_id = $2 AND name = $3';

/** Provider keys of users; only sealed ones ever reach the database. */
export class PostgresSecrets implements ProviderSecrets {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  async put(tenant: string, subject: string, name: string, value: string): Promise<void> {
    await this.database.query(
      'secret_put',
      `INSERT INTO provider_secrets (tenant_id, subject_id, name, key_id, sealed) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (tenant_id, subject_id, name) DO UPDATE SET key_id = $4, sealed = $5, updated_at = clock_timestamp()`,
      [tenant, subject, name, this.box.keyId, this.box.seal({ tenant, subject, name }, value)],
    );
  }

  async get(tenant: string, subject: string, name: string): Promise<string | undefined> {
    const [row] = await this.database.query<SecretRow>('secret_get', `SELECT tenant_id, subject_id, name, key_id, sealed FROM provider_secrets WHERE ${KEY}`, [
      tenant,
      subject,
      name,
    ]);
    return row && this.box.open({ tenant, subject, name }, row.key_id, row.sealed);
  }

  async list(tenant: string, subject: string): Promise<{ readonly name: string; readonly updatedAt: string }[]> {
    const rows = await this.database.query<{ name: string; updated_at: Date }>(
      'secret_list',
      'SELECT name, updated_at FROM provider_secrets WHERE tenant_id = $1 AND subject_id = $2 ORDER BY name',
      [tenant, subject],
    );
    return rows.map((row) => ({ name: row.name, updatedAt: row.updated_at.toISOString() }));
  }

  async delete(tenant: string, subject: string, name: string): Promise<boolean> {
    const rows = await this.database.query('secret_delete', `DELETE FROM provider_secrets WHERE ${KEY} RETURNING name`, [tenant, subject, name]);
    return rows.length > 0;
  }

  /**
   * Seals what the previous master key sealed with the current one, so that the previous one can be thrown away. What neither key opens stays as it
   * is: the master key that sealed it may come back. Returns how many of each.
   */
  async reseal(): Promise<{ readonly resealed: number; readonly unreadable: number }> {
    let unreadable = 0;
    const rows = await this.database.query<SecretRow>(
      'secret_old',
      'SELECT tenant_id, subject_id, name, key_id, sealed FROM provider_secrets WHERE key_id <> $1 LIMIT 10000',
      [this.box.keyId],
    );
    for (const row of rows) {
      const of = { tenant: row.tenant_id, subject: row.subject_id, name: row.name };
      const value = this.opened(of, row);
      if (value === undefined) {
        unreadable += 1;
        continue;
      }
      const sealed = this.box.seal(of, value);
      await this.database.query('secret_reseal', `UPDATE provider_secrets SET key_id = $4, sealed = $5 WHERE ${KEY} AND key_id = $6`, [
        of.tenant,
        of.subject,
        of.name,
        this.box.keyId,
        sealed,
        row.key_id,
      ]);
    }
    return { resealed: rows.length - unreadable, unreadable };
  }

  private opened(of: SecretName, row: SecretRow): string | undefined {
    try {
      return this.box.open(of, row.key_id, row.sealed);
    } catch (error) {
      if (error instanceof ConfigurationError) return undefined;
      throw error;
    }
  }
}
