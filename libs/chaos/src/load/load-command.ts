import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { Command, InvalidArgumentError } from 'commander';
import { replaceBetween } from '../report/markers.js';
import { loadPage, loadTables } from './load-page.js';
import { type LoadResult, runLoad } from './run-load.js';

const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('must be a number above 0');
  return value;
};
const rates = (text: string): number[] => text.split(',').map((one) => number(one.trim()));

/** `npm run load`. Resolves with the exit code: 0 measured, whatever the figures are. */
export async function loadCommand(argv: readonly string[], write: (line: string) => void): Promise<number> {
  const command = new Command('load')
    .description('Offers the published mix at growing rates to a mesh on this machine until it does not keep up.')
    .option('--users <n>', 'people, each with a connection, a session and a VM', number, 20)
    .option('--replicas <n>', 'replicas of every service', number, 1)
    .option('--nats <n>', 'nats-servers, and copies of every stream', number, 1)
    .option('--rates <list>', 'operations per second of the steps', rates, [10, 20, 40, 60, 80, 120, 160, 240, 320])
    .option('--step <s>', 'seconds of each step', number, 15)
    .option('--seed <n>', 'the same seed plans the same arrivals', number, 1)
    .option('--root <folder>', 'run the build of another checkout')
    .option('--report <folder>', 'where the report goes', path.join(repositoryRoot(), 'report/load'))
    .option('--write-docs', 'put the tables into docs/load.md')
    .exitOverride();
  const options = command.parse([...argv], { from: 'user' }).opts();
  const dir = mkdtempSync(path.join(tmpdir(), 'plexus-load-'));
  chmodSync(dir, 0o711); // as root Postgres runs as another user inside
  try {
    const result = await runLoad(
      {
        seed: options.seed,
        users: options.users,
        replicas: options.replicas,
        natsNodes: options.nats,
        rates: options.rates,
        stepMs: options.step * 1_000,
        giveUpMs: 30_000,
        dir: path.join(dir, 'run'),
        root: path.resolve(options.root ?? repositoryRoot()),
        note: write,
      },
      loadavg,
    );
    mkdirSync(options.report, { recursive: true });
    writeFileSync(path.join(options.report, 'index.html'), loadPage(result, machine()));
    writeFileSync(path.join(options.report, 'result.json'), `${JSON.stringify(outcome(result), undefined, 1)}\n`);
    if (options.writeDocs === true) writeDocs(loadTables(result, machine()));
    write(
      result.sustainedPerSecond === undefined
        ? 'not even the first rate was kept up with'
        : `${result.sustainedPerSecond} operations per second were kept up with`,
    );
    write(`Report: ${path.join(options.report, 'index.html')}`);
    return 0;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** With the percentiles that other programs ask for. */
function outcome(result: LoadResult): object {
  const steps = result.steps.map((step) => ({ ...step, chat: { p50Ms: step.latencies.chat.percentile(0.5), p99Ms: step.latencies.chat.percentile(0.99) } }));
  return { ...result, machine: machine(), cores: cpus().length, steps };
}

function writeDocs(tables: string): void {
  const file = path.join(repositoryRoot(), 'docs/load.md');
  if (existsSync(file)) writeFileSync(file, replaceBetween(readFileSync(file, 'utf8'), 'load', tables));
}

function machine(): string {
  return `${cpus().length} × ${(cpus()[0]?.model ?? 'unknown').replace(/\s+\d.*$/, '').trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB memory, Linux ${release()}, Node ${process.version}`;
}
