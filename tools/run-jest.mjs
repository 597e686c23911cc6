// Runs Jest (in ESM) for the project in the current folder. Arguments are passed on to Jest.
// PLEXUS_TIER=full runs only the long suites (`*.full.spec.ts`) instead of the fast ones.
// Jest and the services that suites start (a hundred and more) keep what V8 has compiled in a folder, instead of compiling it again each time.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const full = process.env.PLEXUS_TIER === 'full';
const tier = full ? ['--testMatch', '<rootDir>/test/**/*.full.spec.ts', '--testPathIgnorePatterns', '/node_modules/', '/dist/'] : [];
const result = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    path.join(root, 'node_modules/jest/bin/jest.js'),
    '-c',
    path.join(root, 'jest.config.mjs'),
    '--rootDir',
    process.cwd(),
    '--passWithNoTests',
    ...tier,
    ...process.argv.slice(2),
  ],
  {
    stdio: 'inherit',
    env: {
      NODE_COMPILE_CACHE: path.join(root, 'node_modules/.cache/node-compile'),
      ...process.env,
      PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`,
    },
  },
);
process.exit(result.status ?? 1);
