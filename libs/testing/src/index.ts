export { connectTestBus, type TestBusOptions } from './connect-test-bus.js';
export { type FakeAnswer, type FakeOpenAi, type FakeRequest, type FakeScript, startFakeOpenAi } from './fake-open-ai.js';
export { descendants, expectGone, marked, residentBytes } from './process-tree.js';
export { startTestMesh, type TestMesh, type TestMeshOptions } from './test-mesh.js';
export { type TestNats, startTestNats } from './test-nats.js';
export { openTestPglite } from './test-pglite.js';
export { createTestDatabase, startTestPostgres, type TestDatabase, type TestPostgres } from './test-postgres.js';
export { type ThrowAwayFolder, throwAwayFolder } from './throw-away-folder.js';
export { type WaitOptions, waitFor } from './wait-for.js';
