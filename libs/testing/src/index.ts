export { type TestNats, startTestNats } from './test-nats.js';
export { createTestDatabase, startTestPostgres, type TestDatabase, type TestPostgres } from './test-postgres.js';
export { type ThrowAwayFolder, throwAwayFolder } from './throw-away-folder.js';
export { type WaitOptions, waitFor } from './wait-for.js';
