// `npm run bench [project …]`: runs every `bench/*.bench.ts`, one after the other, shows their figures against their goals and writes those of each that ran
// into its part of docs/performance.md; what people wrote around the parts stays. A benchmark prints one JSON line per figure on stdout:
//   { "name", "value", "unit", "median", "min", "max", "runs", "ratioTo"?: name of the figure it is divided by, "goal"?: ">= 0.7" or "<= 30" }
// Figures are no tests: a goal that is missed is shown, and the exit code stays 0. It is 1 when a benchmark failed to run.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './build.mjs';
import { number, sectionOf, updateReport, verdict } from './performance-report.mjs';
import { capture, environment, filesOf, killRunning, onNode24, projects, root, runWithin } from './projects.mjs';

const BUDGET_MS = 10 * 60_000;
await onNode24(import.meta.url);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killRunning();
    process.exit(130);
  });
}

const chosen = process.argv.slice(2);
const problem = await build();
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
const benchmarks = projects()
  .filter((project) => chosen.length === 0 || chosen.includes(project) || chosen.includes(path.basename(project)))
  .flatMap((project) =>
    filesOf(project, 'bench/*.bench.ts')
      .sort()
      .map((file) => ({ project, file })),
  );

const parts = [];
let broken = 0;
for (const { project, file } of benchmarks) {
  process.stdout.write(`\n${project}/${file}\n`);
  const { code, output, late } = await runWithin(BUDGET_MS, process.execPath, ['--no-warnings', '--expose-gc', file], {
    cwd: path.join(root, project),
    env: environment(),
  });
  const figures = output.split('\n').flatMap(readFigure);
  if (code !== 0 || figures.length === 0) {
    broken += 1;
    process.stdout.write(
      `  ${late ? `not finished after ${BUDGET_MS / 60_000} minutes` : `ended with code ${code}, ${figures.length} figures`}\n${output.slice(-2_000)}\n`,
    );
  }
  for (const figure of figures) process.stdout.write(`  ${figure.name.padEnd(70)} ${spread(figure).padStart(28)} ${verdict(figure)}\n`);
  if (code === 0 && figures.length > 0) parts.push(sectionOf(`${project}/${file}`, figures, measuredAt()));
}

if (parts.length > 0) {
  const file = path.join(root, 'docs/performance.md');
  writeFileSync(file, updateReport(existsSync(file) ? readFileSync(file, 'utf8') : '', [head(), ...parts]));
  process.stdout.write('\ndocs/performance.md is written.\n');
}
process.exit(broken === 0 ? 0 : 1);

function readFigure(line) {
  if (!line.startsWith('{')) return [];
  try {
    const figure = JSON.parse(line);
    return typeof figure.name === 'string' && typeof figure.value === 'number' ? [figure] : [];
  } catch {
    return []; // a log line that happens to start with a brace
  }
}

function spread({ value, unit, min, max, runs }) {
  return `${number(value)} ${unit}${runs > 1 ? ` (${number(min)}–${number(max)})` : ''}`;
}

/** When a benchmark ran, and beside what. */
function measuredAt() {
  const commit = capture('git', ['rev-parse', '--short', 'HEAD']).output;
  const load = os.loadavg().map((one) => one.toFixed(1));
  return `Measured ${new Date().toISOString().slice(0, 10)} at ${commit}; load ${load.join(' / ')} (1, 5, 15 minutes, at the end).`;
}

function head() {
  const [cpu] = os.cpus();
  return {
    name: 'machine',
    lines: [
      `- **Where**: ${os.cpus().length} × ${cpu?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB memory, ${os.type()} ${os.release()}, Node ${process.version}`,
      '- **How**: real nats-server and Postgres on the same machine. A figure is the median of its runs, with the lowest and highest; ratios come from one process that',
      '  runs both sides in turns, because absolute rates of a shared machine drift by a factor of two.',
      '- **Who writes this**: `npm run bench [project …]` writes the parts between markers, one for each benchmark that ran; everything else is written by people.',
    ],
  };
}
