import { BACKENDS, pgvectorBackend } from './support/backends.js';

const backend = pgvectorBackend();

if (backend === undefined) {
  describe('on a real Postgres with pgvector', () => {
    it.skip('none could be fetched (tools/setup-pgvector.mjs)', () => undefined);
  });
} else {
  // The same suites as on the other databases: they take their backends when they are loaded.
  BACKENDS.splice(0, BACKENDS.length, backend);
  for (const suite of ['memory', 'isolation', 'archive', 'lexicon', 'tenant-keys', 'conservation']) await import(`./${suite}.int.spec.js`);
}
