import { type Database, sqlIdentifier, type Statement, type Tx } from '@plexus/database';
import { CHUNK_POOL } from './search-statements.js';
import { inTenant } from './tenant-transaction.js';
import { fromVectorText, toVectorText } from './vector-text.js';

/** Without these an index under a filter stops early and gives back too few. As many at a time as there are chunks to find. */
export const HNSW_SETTINGS: Statement = {
  name: 'memory_hnsw_settings',
  text: `SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '400', true), set_config('hnsw.max_scan_tuples', '40000', true)`,
  params: [],
};

/** What is measured is the index, also where so few vectors would rather be sorted. */
const BY_INDEX = `SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true)`;
const QUESTIONS = 20;
const NEAREST = 10;
/** Vectors are halves: so much nearer is no difference. */
const SAME = 1e-6;

/**
 * Share of the ten nearest vectors of a tenant that the index finds, over questions made of its memories. What is equally far counts alike. Undefined
 * when there are too few vectors to ask about. Looks at every vector of the tenant twenty times.
 */
export function measureIndexRecall(database: Database, tenant: string, tableName: string): Promise<number | undefined> {
  const table = sqlIdentifier(tableName);
  const sample = `SELECT e::text AS e FROM ${table} WHERE tenant_id = $1 AND chunk_no = 0 ORDER BY md5(memory_id) LIMIT $2`;
  const nearest = (distance: string, limit: number) =>
    `SELECT distance FROM (SELECT ${distance} AS distance FROM ${table} v WHERE v.tenant_id = $1 ORDER BY ${distance} LIMIT ${limit}) near ORDER BY distance LIMIT ${NEAREST}`;
  const distances = async (tx: Tx, kind: 'index' | 'all', question: string): Promise<number[]> => {
    const text = kind === 'index' ? nearest('v.e <=> $2::halfvec', CHUNK_POOL) : nearest('(v.e <=> $2::halfvec) + 0', NEAREST);
    return (await tx.query<{ distance: number }>(`memory_recall_${kind}_${tableName}`, text, [tenant, question])).map(({ distance }) => distance);
  };
  return inTenant(
    database,
    tenant,
    async (tx) => {
      await tx.query(HNSW_SETTINGS.name, HNSW_SETTINGS.text);
      await tx.query('memory_recall_by_index', BY_INDEX);
      const rows = await tx.query<{ e: string }>(`memory_recall_sample_${tableName}`, sample, [tenant, QUESTIONS * 2]);
      const vectors = rows.map(({ e }) => fromVectorText(e));
      const recalls: number[] = [];
      for (let n = 0; n + 1 < vectors.length; n += 2) {
        const question = mixed(vectors[n] as Float32Array, vectors[n + 1] as Float32Array);
        const best = await distances(tx, 'all', question);
        const found = await distances(tx, 'index', question);
        const farthest = (best.at(-1) ?? 0) + SAME;
        recalls.push(found.filter((distance) => distance <= farthest).length / best.length);
      }
      return recalls.length === 0 ? undefined : recalls.reduce((sum, one) => sum + one, 0) / recalls.length;
    },
    { readOnly: true },
  );
}

/** Between two memories, so near to neither: a question like one memory is found by nearly any index. */
function mixed(one: Float32Array, other: Float32Array): string {
  return toVectorText(one.map((value, index) => value + (other[index] as number)));
}
