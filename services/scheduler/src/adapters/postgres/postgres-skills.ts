import type { Database } from '@plexus/database';
import type { SkillStore } from '../../application/skills.js';
import type { SkillManifest, SkillSummary } from '../../domain/skill-manifest.js';

interface SkillRow {
  readonly skill_id: string;
  readonly version: string;
  readonly hash: string;
  readonly description: string;
  readonly bytes: number;
  readonly files: number;
  readonly inventory: SkillSummary['inventory'];
  readonly requires: SkillSummary['requires'];
  readonly created_at: Date;
}

const COLUMNS = 'skill_id, version, hash, description, bytes, files, inventory, requires, created_at';

/** Skills that tenants uploaded. */
export class PostgresSkills implements SkillStore {
  constructor(private readonly database: Database) {}

  async list(tenant: string): Promise<SkillSummary[]> {
    const rows = await this.database.query<SkillRow>('skill_list', `SELECT ${COLUMNS} FROM skills WHERE tenant_id = $1`, [tenant]);
    return rows.map(summaryOf);
  }

  async versions(tenant: string, id: string): Promise<SkillSummary[]> {
    const rows = await this.database.query<SkillRow>('skill_versions', `SELECT ${COLUMNS} FROM skills WHERE tenant_id = $1 AND skill_id = $2`, [tenant, id]);
    return rows.map(summaryOf);
  }

  async insert(tenant: string, skill: SkillManifest, maxVersions: number): Promise<'inserted' | 'exists' | 'full'> {
    const { id, version, hash, description, bytes, files, inventory, requires } = skill;
    const [row] = await this.database.query<{ inserted: boolean; found: boolean }>(
      'skill_insert',
      `WITH made AS (
         INSERT INTO skills (tenant_id, skill_id, version, hash, description, bytes, files, inventory, requires)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb WHERE (SELECT count(*) FROM skills WHERE tenant_id = $1) < $10
         ON CONFLICT DO NOTHING RETURNING 1)
       SELECT EXISTS (SELECT 1 FROM made) AS inserted, (SELECT count(*) FROM skills WHERE tenant_id = $1) < $10 AS found`,
      [tenant, id, version, hash, description, bytes, files, JSON.stringify(inventory), JSON.stringify(requires), maxVersions],
    );
    if (row?.inserted === true) return 'inserted';
    // There was room: then somebody else was faster with the same version.
    return row?.found === true ? 'exists' : 'full';
  }

  async delete(tenant: string, id: string, version: string | undefined): Promise<string[]> {
    const rows = await this.database.query<{ hash: string }>(
      'skill_delete',
      'DELETE FROM skills WHERE tenant_id = $1 AND skill_id = $2 AND ($3::text IS NULL OR version = $3) RETURNING hash',
      [tenant, id, version ?? null],
    );
    return rows.map(({ hash }) => hash);
  }
}

function summaryOf(row: SkillRow): SkillSummary {
  return {
    id: row.skill_id,
    name: row.skill_id,
    description: row.description,
    version: row.version,
    source: 'tenant',
    hash: row.hash,
    bytes: row.bytes,
    files: row.files,
    inventory: row.inventory,
    requires: row.requires,
    createdAt: row.created_at.toISOString(),
  };
}
