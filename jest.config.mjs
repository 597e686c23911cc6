import { fileURLToPath } from 'node:url';

const swc = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

/** Shared by every project; `tools/run-jest.mjs` runs it with the project's folder as root. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '\\.full\\.spec\\.ts$'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1', '^fast-check$': fileURLToPath(new URL('tools/fast-check.mjs', import.meta.url)) },
  testEnvironmentOptions: { customExportConditions: ['@plexus/source', 'node', 'node-addons'] },
  testTimeout: 180_000,
  maxWorkers: 2,
};
