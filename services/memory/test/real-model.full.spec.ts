import type { Database } from '@plexus/database';
import { embeddingModel, type RunningEmbeddingModel } from '@plexus/testing';
import { OpenAiEmbedder } from '../src/adapters/embedding/openai-embedder.js';
import { cosine } from '../src/domain/embedding/model.js';
import { BACKENDS, memoryOn, newCaller, note, query } from './support/backends.js';

const model = embeddingModel();
const lite = BACKENDS.find(({ name }) => name === 'pglite');

if (model === undefined) {
  describe('a real embedding model', () => {
    it.skip('none could be fetched (tools/setup-embedding-model.mjs)', () => undefined);
  });
} else {
  describe('a real embedding model', () => {
    let running: RunningEmbeddingModel;
    let database: Database;
    let close: () => Promise<void> = async () => undefined;
    const settings = () => {
      const { baseUrl, model: name, dimensions } = running;
      return { baseUrl, model: name, dimensions, maxBatch: 32, concurrency: 1, timeoutMs: 60_000 };
    };

    beforeAll(async () => {
      running = await model.start();
      ({ database, close } = await (lite as NonNullable<typeof lite>).open());
    }, 120_000);
    afterAll(async () => {
      await close();
      await running.stop();
    }, 60_000);

    it('gives the vectors that its makers publish', async () => {
      const texts = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.'];
      const [a, b, c] = (await new OpenAiEmbedder(settings()).embed(texts, 'document', new AbortController().signal)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expect(cosine(a, b)).toBeCloseTo(0.666, 3);
      expect(cosine(a, c)).toBeCloseTo(0.1046, 3);
      expect(cosine(b, c)).toBeCloseTo(0.1411, 3);
    }, 120_000);

    it('finds by meaning what shares no word with the question', async () => {
      const memory = memoryOn(database, undefined, { kind: 'openai', ...settings() });
      const me = newCaller();
      await memory.models.register();
      const texts = ['My dog has been ill since Monday.', 'The invoice was paid by bank transfer.', 'We moved the servers into the cellar.'];
      for (const text of texts) await memory.write.execute(me, note(text));
      for (const { modelId, ...job } of memory.jobs.splice(0)) {
        const serving = await memory.models.byId(modelId);
        if (serving !== undefined) await memory.embed.execute([job], serving.record, serving.embedding, new AbortController().signal);
      }
      const { hits, mode, semantic } = await memory.search.execute(me, query('a sick pet', { k: 1, minScore: 0 }));
      expect({ mode, semantic, first: hits[0]?.content }).toEqual({ mode: 'hybrid', semantic: true, first: texts[0] });
    }, 120_000);
  });
}
