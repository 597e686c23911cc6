// `npm run bench [project …]`: runs every `bench/*.bench.ts`, one after the other, shows their figures against their goals and, when all ran, writes
// docs/performance.md. A benchmark prints one JSON line per figure on stdout:
//   { "name", "value", "unit", "median", "min", "max", "runs", "ratioTo"?: name of the figure it is divided by, "goal"?: ">= 0.7" or "<= 30" }
// Figures are no tests: a goal that is missed is shown, and the exit code stays 0. It is 1 when a benchmark failed to run.
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './build.mjs';
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

const sections = [];
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
  sections.push({ title: `${project}/${file}`, figures });
}

if (chosen.length === 0 && broken === 0) {
  writeFileSync(path.join(root, 'docs/performance.md'), report(sections));
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

/** `met`, `missed` or nothing, with the goal. */
function verdict({ value, goal }) {
  const [, comparison, limit] = /^([<>]=?)\s*(-?[\d.]+)/.exec(goal ?? '') ?? [];
  if (limit === undefined) return '';
  const met = comparison.startsWith('>') ? value >= Number(limit) : value <= Number(limit);
  return `${met ? 'met' : 'missed'} (goal ${goal})`;
}

function spread({ value, unit, min, max, runs }) {
  return `${number(value)} ${unit}${runs > 1 ? ` (${number(min)}–${number(max)})` : ''}`;
}

function number(value) {
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 1_000) / 1_000);
}

function report(measured) {
  const [cpu] = os.cpus();
  const commit = capture('git', ['rev-parse', '--short', 'HEAD']).output;
  const lines = [
    '# Measured performance',
    '',
    'Written by `npm run bench`; do not edit.',
    '',
    `- **When**: ${new Date().toISOString().slice(0, 10)}, commit ${commit}`,
    `- **Where**: ${os.cpus().length} × ${cpu?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB memory, ${os.type()} ${os.release()}, Node ${process.version}`,
    '- **How**: real nats-server and Postgres on the same machine. A figure is the median of its runs, with the lowest and highest; ratios come from one process that',
    '  runs both sides in turns, because absolute rates of a shared machine drift by a factor of two. Load while measuring:',
    `  ${os
      .loadavg()
      .map((load) => load.toFixed(1))
      .join(' / ')} (1, 5, 15 minutes, at the end).`,
    '',
  ];
  for (const { title, figures } of measured) {
    lines.push(`## ${title}`, '', '| figure | median | min–max | against | goal |', '|---|---:|---:|---|---|');
    for (const figure of figures) {
      const range = figure.runs > 1 ? `${number(figure.min)}–${number(figure.max)}` : '';
      lines.push(`| ${figure.name} | ${number(figure.value)} ${figure.unit} | ${range} | ${figure.ratioTo ?? ''} | ${verdict(figure)} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}
