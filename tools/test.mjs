// `npm test` and `npm run test:full`: builds, checks (lint, boundaries, types of specs, generated files), runs every project's suites, and ends
// with the plain line `N passed, N failed` (and `, N skipped` where some were). A check counts as one test.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { build } from './build.mjs';
import { environment, filesOf, killRunning, onNode24, projects, root, runWithin, tool } from './projects.mjs';

const MINUTE = 60_000;
const tier = process.argv[2] ?? 'fast';
if (!['fast', 'full'].includes(tier)) {
  process.stderr.write('usage: test.mjs fast|full [project …]\n');
  process.exit(2);
}
await onNode24(import.meta.url);

const chosen = process.argv.slice(3);
// Libraries are taken as built (a condition that nobody exports leaves the default), which halves the work; benchmarks run without a build.
// One checker: two checks run beside each other anyway, and several would read the same types into memory several times.
const SPEC_TYPES = ['--customConditions', 'built', '--allowImportingTsExtensions', '--checkers', '1'];
const BASE_CONFIG = path.join(root, 'tsconfig.base.json');
const SPEC_OPTIONS = { composite: false, noEmit: true, declaration: false, types: ['node', 'jest'], customConditions: ['@plexus/source'] };
const full = tier === 'full';
/** Niceness of what may wait. */
const STEPS_BACK = 10;
const CHECK_BUDGET_MS = 12 * MINUTE;
/** Projects whose long suites need neither the machine for themselves nor an exact time. */
const LIGHT = new Set(['deploy', 'libs/cli', 'libs/sdk', 'services/console', 'services/memory']);
// What runs longer than this hangs. The aims are ten minutes for the whole of `npm test` and thirty-five for `test:full`; a slow machine under load takes longer.
const suiteBudgetMs = (full ? 30 : 12) * MINUTE;
const reports = path.join(root, 'report', tier);
const total = { passed: 0, failed: 0, skipped: 0 };
const begunAt = performance.now();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killRunning();
    process.exit(130);
  });
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const problem = await build();
if (problem === undefined) {
  say('✓', 'build', '');
  if (full) await Promise.all([inParallel(1, suites().filter(isHeavy), runSuite), inParallel(1, suites().filter(isLight), runSuite)]);
  else await Promise.all([inParallel(2, suites().filter(usesServers), runSuite), inTheBackground()]);
} else {
  total.failed += 1;
  say('✗', 'build', problem);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`${((performance.now() - begunAt) / 1_000).toFixed(0)} s\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exit(total.failed === 0 ? 0 : 1);

function checks() {
  const node = process.execPath;
  return [
    ...specTypes().map(({ name, file }) => ({ name: `types of ${name}`, args: [tool('typescript/bin/tsc'), '-p', file, ...SPEC_TYPES] })),
    { name: 'lint', args: [tool('@biomejs/biome/bin/biome'), 'check', '.', '--diagnostic-level=error'] },
    { name: 'boundaries', args: [path.join(root, 'tools/lint-boundaries.mjs')] },
  ].map((check) => ({ command: node, ...check }));
}

/**
 * Projects whose specs are compiled alike are checked in one go, which reads the types of libraries once instead of twenty times. Whoever sets anything else is
 * checked alone.
 */
function specTypes() {
  const folder = path.join(root, 'node_modules/.cache/plexus-test');
  mkdirSync(folder, { recursive: true });
  const alike = [];
  const alone = [];
  for (const project of projects()) {
    const file = path.join(root, project, 'tsconfig.spec.json');
    if (!existsSync(file)) continue;
    const {
      extends: base,
      compilerOptions: { rootDir: _root, allowImportingTsExtensions: _given, ...options } = {},
      include,
      ...rest
    } = JSON.parse(readFileSync(file, 'utf8'));
    const isAlike = path.resolve(root, project, base ?? '') === BASE_CONFIG && isDeepStrictEqual([options, rest], [SPEC_OPTIONS, {}]);
    if (isAlike) alike.push(...include.map((pattern) => path.join(root, project, pattern)));
    else alone.push({ name: project, file });
  }
  const file = path.join(folder, 'tsconfig.spec.json');
  writeFileSync(file, JSON.stringify({ extends: BASE_CONFIG, compilerOptions: { ...SPEC_OPTIONS, rootDir: root }, include: alike }));
  return [{ name: 'all specs', file }, ...alone];
}

async function runCheck({ name, command, args }) {
  const { code, output, late } = await runWithin(CHECK_BUDGET_MS, command, args, { niceness: STEPS_BACK });
  if (code === 0) total.passed += 1;
  else total.failed += 1;
  if (code === 0) say('✓', name, '');
  else say('✗', name, late ? `not finished after ${CHECK_BUDGET_MS / MINUTE} minutes\n${output}` : output);
}

function suites() {
  const pattern = full ? 'test/**/*.full.spec.ts' : '{src,test}/**/*.spec.ts';
  return projects()
    .filter((project) => chosen.length === 0 || chosen.includes(project) || chosen.includes(path.basename(project)))
    .map((project) => ({ project, files: filesOf(project, pattern).filter((file) => full || !file.endsWith('.full.spec.ts')) }))
    .filter(({ files }) => files.length > 0)
    .map(({ project, files }) => ({ project, cost: costOf(files), servers: files.some((file) => file.includes('.int.')) }))
    .sort((a, b) => b.cost - a.cost); // the long ones first, so that the end is not one project alone
}

/** What only computes takes what the suites with servers leave of the processor; those wait for the network most of their time. */
async function inTheBackground() {
  if (chosen.length === 0) await inParallel(1, checks(), runCheck);
  await inParallel(
    1,
    suites().filter((suite) => !usesServers(suite)),
    (suite) => runSuite(suite, STEPS_BACK),
  );
}

function usesServers({ servers }) {
  return servers;
}

/** Long suites kill and stop things and watch what follows: one at a time, or they disturb each other. What only renders, installs or looks may run beside. */
function isLight({ project }) {
  return LIGHT.has(project);
}

function isHeavy(suite) {
  return !isLight(suite);
}

/** About how long they take, in seconds: servers and processes make a suite long, whole meshes most of all. */
function costOf(files) {
  return files.reduce((sum, file) => sum + (/e2e|mesh|end-to-end|vm-life/.test(file) ? 20 : file.includes('.int.') ? 4 : 0.5), 0);
}

async function runSuite({ project }, niceness = 0) {
  const report = path.join(reports, `${project.replace('/', '-')}.json`);
  const started = performance.now();
  const { output, late } = await runWithin(
    suiteBudgetMs,
    process.execPath,
    [path.join(root, 'tools/run-jest.mjs'), '--json', `--outputFile=${report}`, '--maxWorkers=1', '--testLocationInResults=false'],
    {
      cwd: path.join(root, project),
      niceness,
      env: environment({ PLEXUS_TIER: tier, CI: 'true', NO_COLOR: '1', FORCE_COLOR: undefined }),
    },
  );
  const seconds = `${((performance.now() - started) / 1_000).toFixed(1)} s`;
  if (late || !existsSync(report)) {
    total.failed += 1;
    say('✗', project, `${late ? `not finished after ${suiteBudgetMs / MINUTE} minutes` : 'Jest ended without a report'} (${seconds})\n${output.slice(-8_000)}`);
    return;
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const skipped = result.numPendingTests + result.numTodoTests;
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  total.passed += result.numPassedTests;
  total.failed += failed;
  total.skipped += skipped;
  const counts = [`${result.numPassedTests} passed`, ...(failed > 0 ? [`${failed} failed`] : []), ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ');
  say(failed === 0 ? '✓' : '✗', project, `${counts} (${seconds})${failed === 0 ? '' : `\n${failures(result)}`}`);
  for (const name of skippedNames(result)) say('-', project, `skipped: ${name}`);
}

function failures(result) {
  return result.testResults
    .filter(({ status }) => status === 'failed')
    .map(({ name, message }) => `  ${path.relative(root, name)}\n${message}`)
    .join('\n');
}

function skippedNames(result) {
  return result.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'pending' || status === 'todo').map(({ fullName }) => fullName),
  );
}

/** Runs at most `limit` at a time; none of them rejects. */
async function inParallel(limit, items, run) {
  const waiting = [...items];
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
    }),
  );
}

function say(sign, name, detail) {
  process.stdout.write(`${sign} ${name.padEnd(24)} ${detail}`.trimEnd().concat('\n'));
}
