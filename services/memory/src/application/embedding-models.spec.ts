import { FakeClock } from '@plexus/kernel';
import type { Embedder, EmbeddingModel } from '../domain/embedding/model.js';
import { EmbeddingModels, scanOf } from './embedding-models.js';
import type { EmbeddingStore, IndexRecall, ModelRecord, ModelRegistry } from './ports.js';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const HOUR = 60 * 60_000;

function recordOf(kind: EmbeddingModel['kind'], indexed: boolean, recalls: Readonly<Record<string, IndexRecall>> = {}): ModelRecord {
  const model: EmbeddingModel = { id: `test:${kind}`, provider: kind === 'semantic' ? 'openai-compat' : 'local-hash', name: kind, dimensions: 8, kind };
  return { model, table: 'mvec_test', floor: 0, state: 'active', indexed, recalls: new Map(Object.entries(recalls)), createdAt: new Date(NOW) };
}
const measured = (recall: number, hoursAgo = 0): IndexRecall => ({ recall, measuredAt: new Date(NOW - hoursAgo * HOUR) });

describe('how vectors are compared', () => {
  it.each([
    ['a small scope, whatever index there is', recordOf('semantic', true, { t: measured(1) }), 10_000, 'exact'],
    ['a large one by an index that finds what is nearest', recordOf('semantic', true, { t: measured(0.95) }), 10_001, 'hnsw'],
    ['a large one whose index misses too much', recordOf('semantic', true, { t: measured(0.949) }), 10_001, 'exact'],
    ['a large one whose index was measured for another tenant only', recordOf('semantic', true, { u: measured(1) }), 10_001, 'exact'],
    ['a large one without an index', recordOf('semantic', false, { t: measured(1) }), 10_001, 'exact'],
    ['hashed spellings always one by one', recordOf('lexical-hash', true, { t: measured(1) }), 10_001, 'exact'],
  ] as const)('%s', (_, record, visible, scan) => {
    expect(scanOf(record, 't', visible)).toBe(scan);
  });
});

describe('keeping the index over vectors', () => {
  async function maintained(record: ModelRecord, sizes: Readonly<Record<string, number>>): Promise<string[]> {
    const done: string[] = [];
    const note = (what: string) => async (_id: string, tenant?: unknown) => void done.push(typeof tenant === 'string' ? `${what} ${tenant}` : what);
    const registry = {
      models: async () => [record],
      buildIndex: note('build'),
      dropIndex: note('drop'),
      measureIndex: note('measure'),
      dropRetired: async () => 0,
    } as unknown as ModelRegistry;
    const store = { count: async (tenant: string) => sizes[tenant] ?? 0 } as unknown as EmbeddingStore;
    const embedder = { model: record.model, maxBatch: 1, embed: async () => [] } satisfies Embedder;
    const tenants = { tenants: async () => Object.keys(sizes) };
    const support = { backend: 'postgres', vectorExtension: async () => true } as const;
    await new EmbeddingModels(registry, store, tenants, support, embedder, () => undefined, new FakeClock(NOW)).maintain(new AbortController().signal);
    return done;
  }

  it('builds one when a tenant has earned it and measures it for those who have', async () => {
    await expect(maintained(recordOf('semantic', false), { small: 10_000, large: 10_001 })).resolves.toEqual(['build', 'measure large']);
    await expect(maintained(recordOf('semantic', false), { small: 10_000 })).resolves.toEqual([]);
  });

  it('measures once a day, and at once for a tenant that has grown large', async () => {
    const record = recordOf('semantic', true, { today: measured(0.5, 23), yesterday: measured(1, 24) });
    await expect(maintained(record, { today: 20_000, yesterday: 20_000, grown: 20_000 })).resolves.toEqual(['measure yesterday', 'measure grown']);
  });

  it('hashed spellings get none; one that is there goes', async () => {
    await expect(maintained(recordOf('lexical-hash', false), { large: 20_000 })).resolves.toEqual([]);
    await expect(maintained(recordOf('lexical-hash', true), { large: 20_000 })).resolves.toEqual(['drop']);
  });
});
