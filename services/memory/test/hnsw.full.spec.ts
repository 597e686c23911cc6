import type { Database } from '@plexus/database';
import { FakeClock } from '@plexus/kernel';
import { filterParameters, PostgresMemoryReader } from '../src/adapters/postgres/memory-reader.js';
import { candidatesStatement } from '../src/adapters/postgres/search-statements.js';
import { inTenant } from '../src/adapters/postgres/tenant-transaction.js';
import { tableOf, VectorTables } from '../src/adapters/postgres/vector-tables.js';
import { toVectorText } from '../src/adapters/postgres/vector-text.js';
import type { SearchFilter, VectorScan } from '../src/application/ports.js';
import { cosine, type EmbeddingModel } from '../src/domain/embedding/model.js';
import { pgvectorBackend } from './support/backends.js';

const backend = pgvectorBackend();
const DIMENSIONS = 64;
const MODEL: EmbeddingModel = { id: 'test:clusters:64:v1', provider: 'openai-compat', name: 'clusters', dimensions: DIMENSIONS, kind: 'semantic' };
/** Tenants of very different size in one table and one index. */
const SIZES = { half: 10_000, twentieth: 1_000, few: 100, rest: 8_900 } as const;
type Tenant = keyof typeof SIZES;
const NOW = new Date('2026-11-21T10:00:00Z');
const POOL = 200;

/** Small, seeded, good enough for clusters. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

function gaussian(next: () => number): number {
  return Math.sqrt(-2 * Math.log(next() || 1e-9)) * Math.cos(2 * Math.PI * next());
}

function unit(values: number[]): Float32Array {
  const norm = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / norm);
}

const next = random(42);
const centres = Array.from({ length: 40 }, () => Array.from({ length: DIMENSIONS }, () => gaussian(next)));
const nearCentre = () => unit((centres[Math.floor(next() * centres.length)] as number[]).map((value) => value + 0.7 * gaussian(next)));

(backend === undefined ? describe.skip : describe)('an index over the vectors of all tenants (HNSW)', () => {
  const table = tableOf(MODEL.id);
  const vectors = new Map<Tenant, { readonly id: string; readonly vector: Float32Array }[]>();
  let database: Database;
  let close: () => Promise<void> = async () => undefined;
  let reader: PostgresMemoryReader;

  beforeAll(async () => {
    if (backend === undefined) return;
    ({ database, close } = await backend.open());
    reader = new PostgresMemoryReader(database);
    const tables = new VectorTables(database, new FakeClock(NOW.getTime()));
    expect(await tables.vectorExtension()).toBe(true);
    await tables.register(MODEL, 'active', NOW);
    for (const [tenant, size] of Object.entries(SIZES) as [Tenant, number][]) vectors.set(tenant, await fill(tenant, size));
    await database.script('ANALYZE');
    await tables.buildIndex(MODEL.id);
    expect(await tables.models(true)).toMatchObject([{ indexed: true }]);
  }, 240_000);
  afterAll(() => close(), 60_000);

  async function fill(tenant: Tenant, size: number) {
    const made = Array.from({ length: size }, (_, n) => ({ id: `mem_${tenant}${String(n).padStart(6, '0')}`, vector: nearCentre() }));
    for (let from = 0; from < size; from += 1_000) {
      const batch = made.slice(from, from + 1_000);
      await inTenant(database, tenant, async (tx) => {
        await tx.query(
          'test_memories',
          `INSERT INTO memory (tenant_id, id, scope_kind, scope_id, kind, content, content_mac, match_mac, lex, lex_version, source, created_at)
           SELECT $1, id, 'user', 'me', 'note', id, sha256(id::bytea), sha256(id::bytea), '', 1, '{}', $3 FROM unnest($2::text[]) AS id`,
          [tenant, batch.map(({ id }) => id), NOW],
        );
        await tx.query(
          'test_vectors',
          `INSERT INTO ${table} (tenant_id, memory_id, chunk_no, rev, e)
           SELECT $1, one.id, 0, 1, one.e::halfvec FROM unnest($2::text[], $3::text[]) AS one (id, e)`,
          [tenant, batch.map(({ id }) => id), batch.map(({ vector }) => toVectorText(vector))],
        );
      });
    }
    return made;
  }

  const filter = (): SearchFilter => ({ visible: [{ kind: 'user', id: 'me', owner: '' }], matchMac: Buffer.alloc(32), now: NOW, includeHistory: false });

  async function search(tenant: Tenant, vector: Float32Array, scan: VectorScan) {
    const found = await reader.candidates(tenant, filter(), [], { table, vector, scan });
    return found.filter(({ vectorRank }) => vectorRank !== undefined).sort((a, b) => (a.vectorRank as number) - (b.vectorRank as number));
  }

  const bruteForce = (tenant: Tenant, query: Float32Array, k: number) =>
    (vectors.get(tenant) ?? [])
      .map(({ id, vector }) => ({ id, cosine: cosine(vector, query) }))
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, k);

  it('is what large scopes are searched by, row security and all', async () => {
    const vector = nearCentre();
    const { text } = candidatesStatement({ table, scan: 'hnsw' }, { marks: 1 });
    const parameters = [...filterParameters('half', filter()), Buffer.alloc(32), null, ["'-'"], [0], toVectorText(vector)];
    const plan = await inTenant(database, 'half', async (tx) => {
      await tx.query('test_scan', `SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '200', true)`);
      return tx.query<{ 'QUERY PLAN': string }>('test_explain', `EXPLAIN ${text}`, parameters);
    });
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain(`${table}_hnsw`);
  }, 60_000);

  it.each([
    ['half', 'hnsw'],
    ['twentieth', 'hnsw'],
    ['half', 'exact'],
    ['twentieth', 'exact'],
    ['few', 'exact'],
  ] as const)(
    'gives tenant %s by %s as many rows as there are, and ten of ten best or nearly (P7, 11)',
    async (tenant, scan) => {
      const recalls: number[] = [];
      for (let n = 0; n < 25; n += 1) {
        const query = nearCentre();
        const found = await search(tenant, query, scan);
        expect(found).toHaveLength(Math.min(POOL, SIZES[tenant]));
        expect(found.every(({ id }) => id.startsWith(`mem_${tenant}`))).toBe(true);
        const best = bruteForce(tenant, query, 10);
        const ids = new Set(found.slice(0, 10).map(({ id }) => id));
        recalls.push(best.filter(({ id }) => ids.has(id)).length / 10);
        const byId = new Map(found.map(({ id, cosine: own }) => [id, own as number]));
        // Half-precision floats: the figure itself is exact to a thousandth.
        for (const { id, cosine: own } of best) if (byId.has(id)) expect(Math.abs((byId.get(id) as number) - own)).toBeLessThan(1e-3);
      }
      const recall = recalls.reduce((sum, one) => sum + one, 0) / recalls.length;
      expect(recall).toBeGreaterThanOrEqual(scan === 'exact' ? 0.98 : 0.95);
    },
    120_000,
  );

  it('never shows a tenant another one’s vectors, however near they are', async () => {
    const [one] = vectors.get('half') ?? [];
    const found = await search('twentieth', (one as { vector: Float32Array }).vector, 'hnsw');
    expect(found.every(({ id }) => id.startsWith('mem_twentieth'))).toBe(true);
  });

  it('is measured per tenant, and can be given up', async () => {
    const tables = new VectorTables(database, new FakeClock(NOW.getTime()));
    await tables.measureIndex(MODEL.id, 'half', NOW);
    const [record] = await tables.models(true);
    expect([...(record?.recalls ?? [])]).toEqual([['half', { recall: expect.any(Number), measuredAt: NOW }]]);
    // Questions lie between memories, and clusters are farther apart here than topics of texts: some may be asked in vain.
    expect(record?.recalls.get('half')?.recall).toBeGreaterThan(0.3);
    await tables.dropIndex(MODEL.id);
    expect(await tables.models(true)).toMatchObject([{ indexed: false }]);
    await tables.buildIndex(MODEL.id);
    expect(await tables.models(true)).toMatchObject([{ indexed: true }]);
  }, 240_000);

  it('that was cut off while it was built is built again', async () => {
    const tables = new VectorTables(database, new FakeClock(NOW.getTime()));
    await database.script(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${table}_hnsw'::regclass`);
    expect(await tables.models(true)).toMatchObject([{ indexed: false }]);
    await tables.buildIndex(MODEL.id);
    expect(await tables.models(true)).toMatchObject([{ indexed: true }]);
  }, 240_000);

  it('is one index per model however many tenants there are (13)', async () => {
    const count = async () =>
      (await database.query<{ n: number }>('test_indexes', `SELECT count(*)::int AS n FROM pg_indexes WHERE schemaname = 'memory'`))[0]?.n;
    const before = await count();
    for (let n = 0; n < 50; n += 1)
      await database.query('test_tenant', `INSERT INTO tenant (tenant_id, mac_key) VALUES ($1, $2)`, [`many${n}`, Buffer.alloc(32)]);
    expect(await count()).toBe(before);
  });
});
