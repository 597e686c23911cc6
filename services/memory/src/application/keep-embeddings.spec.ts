import type { Clock } from '@plexus/kernel';
import type { EmbedMemories } from './embed-memories.js';
import type { EmbeddingModels } from './embedding-models.js';
import { KeepEmbeddings, type SingleRunner } from './keep-embeddings.js';
import type { EmbeddingStore } from './ports.js';

const record = (id: string, state: 'active' | 'building') => ({ table: `mvec_${id}`, state, model: { id } });

/** Rounds of it over two tenants, until `rounds` of them are over. `told`: what it said about how many wait. */
async function keep(
  records: readonly object[],
  runner: SingleRunner,
  fails?: 'upkeep' | 'filling',
  rounds = 1,
): Promise<{ told: number[]; errors: unknown[] }> {
  const told: number[] = [];
  const errors: unknown[] = [];
  const stop = new AbortController();
  let slept = 0;
  const away = () => Promise.reject(new Error('the endpoint is away'));
  const models = {
    maintain: async () => (fails === 'upkeep' ? away() : undefined),
    wanted: async () => records,
    serving: () => ({ embedding: {} }),
  } as unknown as EmbeddingModels;
  const store = {
    pending: async (tenant: string, table: string) => ({ pending: (tenant === 'acme' ? 3 : 4) * (table === 'mvec_new' ? 100 : 1), failed: 0 }),
    missing: async () => (fails === 'filling' ? away() : []),
    pruneCache: async () => 0,
  } as unknown as EmbeddingStore;
  const clock = {
    now: () => 0,
    sleep: async () => {
      slept += 1;
      if (slept === rounds) stop.abort();
    },
  } as unknown as Clock;
  const retention = { tenants: async () => ['acme', 'globex'] };
  const onError = (error: unknown) => void errors.push(error);
  const keeping = new KeepEmbeddings(models, store, {} as EmbedMemories, retention, runner, clock, onError, 1, 0, (memories) => told.push(memories));
  await keeping.run(stop.signal);
  return { told, errors };
}

const alone: SingleRunner = { exclusively: (fn) => fn() };

describe('what is told of memories that wait for their vectors', () => {
  it('is the number of the model that answers, of all tenants', async () => {
    expect(await keep([record('old', 'active'), record('new', 'building')], alone)).toEqual({ told: [7], errors: [] });
  });

  it('is that of the one being built while none answers, and none without a model', async () => {
    expect((await keep([record('new', 'building')], alone)).told).toEqual([700]);
    expect((await keep([], alone)).told).toEqual([0]);
  });

  it.each(['upkeep', 'filling'] as const)('is told also when no vector can be made, in every round: the endpoint is away at the %s', async (fails) => {
    const { told, errors } = await keep([record('old', 'active')], alone, fails, 2);
    expect(told).toEqual([7, 7]);
    expect(errors).toEqual([new Error('the endpoint is away'), new Error('the endpoint is away')]);
  });

  it('is nothing of a replica while another one does the work', async () => {
    const busy: SingleRunner = { exclusively: async () => undefined };
    expect((await keep([record('old', 'active')], busy)).told).toEqual([0]);
  });
});
