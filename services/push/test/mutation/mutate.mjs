// Plants faults in copies of the engine, one at a time, and runs the pure suite against each: a fault that no spec notices is shown, and the exit
// code is 1. `node test/mutation/mutate.mjs [words of a name]`, in the folder of the project.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FAULTS } from './faults.mjs';

const project = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const root = path.dirname(path.dirname(project));
const { default: base } = await import(pathToFileURL(path.join(root, 'jest.config.mjs')).href);

/** A fault may make the engine loop for ever: longer than this is neither noticed nor not. */
const HUNG_MS = 20 * 60_000;

/** True when every spec passes against the engine in `domain`: examples first, they are quick; then random histories. */
function passes(domain, folder) {
  return run(domain, folder, '/properties\\.spec\\.ts$') && run(domain, folder, '/(?!properties)[^/]*\\.spec\\.ts$');
}

function run(domain, folder, leftOut) {
  const config = path.join(folder, 'jest.config.json');
  const moduleNameMapper = { '^\\.\\./\\.\\./src/domain/(.*)\\.js$': path.join(domain, '$1'), ...base.moduleNameMapper };
  const testMatch = [path.join(project, 'test/engine/*.spec.ts')];
  // Packages are left as they are; the copy lies among them and is not one.
  const transformIgnorePatterns = ['/node_modules/(?!\\.cache/mutation-)'];
  const testPathIgnorePatterns = ['\\.full\\.spec\\.ts$', `/test/engine${leftOut}`];
  writeFileSync(
    config,
    JSON.stringify({
      ...base,
      rootDir: project,
      roots: [path.join(project, 'test')],
      testMatch,
      testPathIgnorePatterns,
      transformIgnorePatterns,
      moduleNameMapper,
      maxWorkers: 1,
    }),
  );
  const jest = path.join(root, 'node_modules/jest/bin/jest.js');
  const { status, error } = spawnSync(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', jest, '-c', config, '--bail', '--silent', '--watchman=false'],
    {
      cwd: project,
      stdio: 'ignore',
      timeout: HUNG_MS,
      env: { ...process.env, PLEXUS_PROPERTY_RUNS: process.env.PLEXUS_PROPERTY_RUNS ?? '60' },
    },
  );
  if (error) throw error;
  return status === 0;
}

function plant(domain, { file, from, to }) {
  const name = path.join(domain, 'engine', file);
  const source = readFileSync(name, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${file} must hold this exactly once: ${from}`);
  // As a function: `$` in the text means nothing.
  writeFileSync(
    name,
    source.replace(from, () => to),
  );
}

/** Tries the faults; returns the names of those that nobody noticed. */
export function mutate(faults = FAULTS, report = () => {}) {
  // Inside a folder of packages: they are found from there, and neither specs nor formatting nor versions are looked for in it.
  const cache = path.join(project, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'mutation-'));
  try {
    const copy = () => {
      const domain = path.join(folder, 'domain');
      rmSync(domain, { recursive: true, force: true });
      cpSync(path.join(project, 'src/domain'), domain, { recursive: true });
      return domain;
    };
    if (!passes(copy(), folder)) throw new Error('the suite must pass without faults: run it to see which does not');
    report('sound without faults');
    return faults
      .filter((fault) => {
        const domain = copy();
        plant(domain, fault);
        if (fault.and !== undefined) plant(domain, fault.and);
        const unnoticed = passes(domain, folder);
        report(`${unnoticed ? 'NOT NOTICED' : 'noticed'}: ${fault.name}`);
        return unnoticed;
      })
      .map(({ name }) => name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2).join(' ');
  const left = mutate(
    FAULTS.filter(({ name }) => name.includes(words)),
    (line) => process.stdout.write(`${line}\n`),
  );
  process.exitCode = left.length === 0 ? 0 : 1;
}
