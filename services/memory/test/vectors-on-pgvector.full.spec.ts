import { BACKENDS, pgvectorBackend } from './support/backends.js';

const backend = pgvectorBackend();

if (backend === undefined) {
  describe('vectors on a real Postgres with pgvector', () => {
    it.skip('none could be fetched (tools/setup-pgvector.mjs)', () => undefined);
  });
} else {
  // The suite takes the first backend for vectors and the second for their absence.
  BACKENDS.splice(0, 1, backend);
  await import('./vectors.int.spec.js');
}
