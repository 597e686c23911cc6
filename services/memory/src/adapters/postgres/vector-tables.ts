import { createHash } from 'node:crypto';
import { type Database, sqlIdentifier, type Tx } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import type { ModelRecord, ModelRegistry, ModelState, VectorSupport } from '../../application/ports.js';
import type { EmbeddingModel } from '../../domain/embedding/model.js';
import { measureIndexRecall } from './index-recall.js';

/** An administrator may install the extension while the service runs, and another replica may switch models. */
const EXTENSION_CACHED_MS = 60_000;
const MODELS_CACHED_MS = 2_000;
/** halfvec takes so many dimensions with an index. */
export const MAX_DIMENSIONS = 4_000;

interface ModelRow {
  readonly id: string;
  readonly table_name: string;
  readonly provider: EmbeddingModel['provider'];
  readonly name: string;
  readonly dimensions: number;
  readonly kind: EmbeddingModel['kind'];
  readonly floor: number | null;
  readonly canary: Uint8Array | null;
  readonly state: ModelState;
  readonly indexed: boolean;
  readonly created_at: Date;
  readonly activated_at: Date | null;
  readonly retired_at: Date | null;
  readonly recalls: Readonly<Record<string, { readonly recall: number; readonly at: string }>> | null;
}

/** An index whose building was cut off is there, invalid, and of no use. */
const MODELS = `
  SELECT m.*, EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass(m.table_name || '_hnsw') AND i.indisvalid) AS indexed,
         (SELECT jsonb_object_agg(r.tenant_id, jsonb_build_object('recall', r.recall, 'at', r.measured_at)) FROM index_recall r WHERE r.model_id = m.id) AS recalls
    FROM embedding_model m ORDER BY m.created_at, m.id`;
const CUT_OFF = 'SELECT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass($1) AND NOT i.indisvalid) AS found';
const KEEP_RECALL = `
  INSERT INTO index_recall (tenant_id, model_id, recall, measured_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (tenant_id, model_id) DO UPDATE SET recall = EXCLUDED.recall, measured_at = EXCLUDED.measured_at`;
/** A million vectors take an hour. */
const INDEX_TIMEOUT_MS = 12 * 60 * 60_000;
const REGISTER = `
  INSERT INTO embedding_model (id, table_name, provider, name, dimensions, kind, floor, state, created_at, activated_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $8 = 'active' THEN $9::timestamptz END)
  ON CONFLICT DO NOTHING RETURNING id`;

/** Models and their tables of vectors. Tables are made here and not by a migration: which widths there are is a matter of settings. */
export class VectorTables implements ModelRegistry, VectorSupport {
  readonly backend: Database['kind'];
  #extension: { readonly available: boolean; readonly until: number } | undefined;
  #models: { readonly list: readonly ModelRecord[]; readonly until: number } | undefined;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.backend = database.kind;
  }

  async vectorExtension(): Promise<boolean> {
    const now = this.clock.monotonic();
    if (this.#extension !== undefined && (this.#extension.available || now < this.#extension.until)) return this.#extension.available;
    this.#extension = { available: await this.#tryExtension(), until: now + EXTENSION_CACHED_MS };
    return this.#extension.available;
  }

  async models(fresh = false): Promise<readonly ModelRecord[]> {
    const now = this.clock.monotonic();
    if (!fresh && this.#models !== undefined && now < this.#models.until) return this.#models.list;
    const rows = await this.database.query<ModelRow>('memory_models', MODELS);
    this.#models = { list: rows.map(toRecord), until: now + MODELS_CACHED_MS };
    return this.#models.list;
  }

  async register(model: EmbeddingModel, state: 'active' | 'building', at: Date): Promise<void> {
    if (model.dimensions > MAX_DIMENSIONS) throw new RangeError(`${model.id}: more than ${MAX_DIMENSIONS} dimensions cannot be indexed`);
    const table = tableOf(model.id);
    await this.#createTable(table, model.dimensions);
    // A hash of spellings has no meaning to calibrate: unrelated texts share nothing.
    const floor = model.kind === 'lexical-hash' ? 0 : null;
    await this.database.transaction(async (tx) => {
      // A retired model that is wanted again starts over: its vectors may lack what was written since.
      await tx.query('memory_model_forget', `DELETE FROM embedding_model WHERE id = $1 AND state = 'retired'`, [model.id]);
      await tx.query('memory_model_register', REGISTER, [model.id, table, model.provider, model.name, model.dimensions, model.kind, floor, state, at]);
    });
    this.#models = undefined;
  }

  async calibrate(id: string, floor: number): Promise<void> {
    await this.database.query('memory_model_floor', 'UPDATE embedding_model SET floor = $2 WHERE id = $1 AND floor IS NULL', [id, floor]);
    this.#models = undefined;
  }

  async saveCanary(id: string, canary: Uint8Array): Promise<void> {
    await this.database.query('memory_model_canary', 'UPDATE embedding_model SET canary = $2 WHERE id = $1 AND canary IS NULL', [id, canary]);
    this.#models = undefined;
  }

  async activate(id: string, at: Date): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query('memory_model_retire', `UPDATE embedding_model SET state = 'retired', retired_at = $2 WHERE state = 'active' AND id <> $1`, [id, at]);
      await tx.query('memory_model_activate', `UPDATE embedding_model SET state = 'active', activated_at = $2 WHERE id = $1 AND state = 'building'`, [id, at]);
    });
    this.#models = undefined;
  }

  async buildIndex(id: string): Promise<void> {
    if (this.backend === 'pglite') return;
    const name = sqlIdentifier(tableOf(id));
    const session = await this.database.openSession();
    try {
      await session.script('SET statement_timeout = 0');
      const [cutOff] = await session.query<{ found: boolean }>('memory_index_cut_off', CUT_OFF, [`${tableOf(id)}_hnsw`]);
      if (cutOff?.found) await session.script(`DROP INDEX CONCURRENTLY IF EXISTS ${name}_hnsw`, { timeoutMs: INDEX_TIMEOUT_MS });
      await session.script(
        `CREATE INDEX CONCURRENTLY IF NOT EXISTS ${name}_hnsw ON ${name} USING hnsw (e halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)`,
        { timeoutMs: INDEX_TIMEOUT_MS },
      );
    } finally {
      await session.close();
    }
    this.#models = undefined;
  }

  async dropIndex(id: string): Promise<void> {
    const session = await this.database.openSession();
    try {
      await session.script(`DROP INDEX CONCURRENTLY IF EXISTS ${sqlIdentifier(tableOf(id))}_hnsw`, { timeoutMs: INDEX_TIMEOUT_MS });
    } finally {
      await session.close();
    }
    this.#models = undefined;
  }

  async measureIndex(id: string, tenant: string, at: Date): Promise<void> {
    const recall = await measureIndexRecall(this.database, tenant, tableOf(id));
    if (recall === undefined) return;
    await this.database.query('memory_index_recall', KEEP_RECALL, [tenant, id, recall, at]);
    this.#models = undefined;
  }

  async abandon(id: string): Promise<void> {
    await this.#drop(`id = $1 AND state = 'building'`, [id]);
  }

  async dropRetired(before: Date): Promise<number> {
    return this.#drop(`state = 'retired' AND retired_at < $1`, [before]);
  }

  async #drop(where: string, parameters: readonly unknown[]): Promise<number> {
    const rows = await this.database.query<{ table_name: string }>(
      `memory_model_drop_${where.startsWith('id') ? 'one' : 'old'}`,
      `DELETE FROM embedding_model WHERE ${where} RETURNING table_name`,
      parameters,
    );
    for (const { table_name } of rows) {
      const name = sqlIdentifier(table_name);
      await this.database.script(`DROP TRIGGER IF EXISTS ${name}_forget ON memory; DROP TABLE IF EXISTS ${name}`);
    }
    this.#models = undefined;
    return rows.length;
  }

  /** PGlite has it on board; elsewhere pgvector is a trusted extension, which the owner of the database may create. */
  async #tryExtension(): Promise<boolean> {
    const [row] = await this.database.query<{ installed: boolean; available: boolean }>(
      'memory_vector_extension',
      `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') AS installed,
              EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS available`,
    );
    if (row?.installed) return true;
    if (!row?.available) return false;
    try {
      await this.database.script('CREATE EXTENSION IF NOT EXISTS vector SCHEMA public');
      return true;
    } catch {
      return false; // not ours to create: reported as vector_extension_missing by every answer and by stats, looked at again in a minute
    }
  }

  async #createTable(table: string, dimensions: number): Promise<void> {
    const name = sqlIdentifier(table);
    await this.database.transaction(async (tx) => {
      // Two replicas at once: the second waits and finds the table.
      await tx.query('memory_vector_lock', `SELECT pg_advisory_xact_lock(hashtext('plexus.memory.vectors'))`);
      if (await tableExists(tx, table)) return;
      await tx.script(`
        CREATE TABLE ${name} (
          tenant_id TEXT NOT NULL,
          memory_id TEXT NOT NULL,
          chunk_no  INTEGER NOT NULL,
          rev       INTEGER NOT NULL,
          e         halfvec(${dimensions}) NOT NULL,
          PRIMARY KEY (tenant_id, memory_id, chunk_no),
          FOREIGN KEY (tenant_id, memory_id) REFERENCES memory (tenant_id, id) ON DELETE CASCADE
        );
        ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE ${name} FORCE ROW LEVEL SECURITY;
        CREATE POLICY ${name}_tenant ON ${name} USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
        GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO plexus_app;
        CREATE TRIGGER ${name}_forget AFTER UPDATE OF deleted_at ON memory FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL)
          EXECUTE FUNCTION memory_forget_vectors('${table}');`);
    });
  }
}

async function tableExists(tx: Tx, table: string): Promise<boolean> {
  const [row] = await tx.query<{ found: boolean }>('memory_vector_table', 'SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  return row?.found === true;
}

/** A name for any model id. */
export function tableOf(modelId: string): string {
  return `mvec_${createHash('sha256').update(modelId).digest('hex').slice(0, 16)}`;
}

function toRecord(row: ModelRow): ModelRecord {
  return {
    model: { id: row.id, provider: row.provider, name: row.name, dimensions: row.dimensions, kind: row.kind },
    table: row.table_name,
    floor: row.floor ?? undefined,
    canary: row.canary ?? undefined,
    state: row.state,
    indexed: row.indexed,
    recalls: new Map(Object.entries(row.recalls ?? {}).map(([tenant, { recall, at }]) => [tenant, { recall, measuredAt: new Date(at) }])),
    createdAt: row.created_at,
  };
}
