import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { repositoryRoot } from '@plexus/local-stack';
import { FAULT_KINDS, type FaultKind } from './faults/schedule.js';
import { type Checkout, checkOut } from './mesh/checkout.js';
import { chaosPage } from './report/chaos-page.js';
import { type ChaosOptions, type ChaosResult, runChaos } from './run-chaos.js';

const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('must be a number above 0');
  return value;
};

const kinds = (text: string): FaultKind[] => {
  const chosen = text.split(',').map((one) => one.trim());
  const unknown = chosen.filter((one) => !FAULT_KINDS.includes(one as FaultKind));
  if (unknown.length > 0) throw new InvalidArgumentError(`unknown: ${unknown.join(', ')}. There are ${FAULT_KINDS.join(', ')}`);
  return chosen as FaultKind[];
};

/** `npm run chaos`. Resolves with the exit code: 0 every promise was kept, 1 violations, 2 the run itself failed. */
export async function chaosCommand(argv: readonly string[], write: (line: string) => void): Promise<number> {
  const command = new Command('chaos')
    .description('Breaks a production-like mesh on this machine under load and checks what its clients were promised.')
    .option('--minutes <n>', 'how long the load runs', number, 10)
    .option('--seed <n>', 'the same seed plans the same faults and load', number, Math.floor(Date.now() / 1_000) % 1_000_000)
    .option('--slow <n>', 'multiplies lease times and how long faults are held, for small machines', number, 1)
    .option('--tenants <n>', 'tenants', number, 3)
    .option('--users <n>', 'people of each tenant', number, 3)
    .option('--pace <n>', 'load of each client; 1 is some two operations per second and person', number, 1)
    .option('--every <s>', 'mean seconds between two faults', number, 12)
    .option('--faults <kinds>', `only these, separated by commas: ${FAULT_KINDS.join(', ')}`, kinds)
    .option('--from <revision>', 'begin with this revision and let rolling upgrades go to the working tree (built in a worktree beside it)')
    .option('--root <folder>', 'run the build of another checkout')
    .option('--report <folder>', 'where the report goes', path.join(repositoryRoot(), 'report/chaos'))
    .option('--keep', 'keep state and logs of the mesh')
    .exitOverride();
  const options = command.parse([...argv], { from: 'user' }).opts();
  const dir = mkdtempSync(path.join(tmpdir(), 'plexus-chaos-'));
  // As root Postgres runs as another user inside.
  chmodSync(dir, 0o711);
  const stamped = stamp(write);
  const root: string = path.resolve(options.root ?? repositoryRoot());
  let old: Checkout | undefined;
  try {
    if (options.from !== undefined) {
      stamped(`building ${options.from} beside this one`);
      old = await checkOut(root, options.from, path.join(dir, 'old-build'));
    }
    const chaos: ChaosOptions = {
      seed: options.seed,
      durationMs: options.minutes * 60_000,
      slow: options.slow,
      tenants: options.tenants,
      usersPerTenant: options.users,
      replicas: 2,
      natsNodes: 3,
      pace: options.pace,
      faultEveryMs: options.every * 1_000,
      ...(options.faults && { kinds: options.faults }),
      dir: path.join(dir, 'run'),
      root: old?.root ?? root,
      upgradeRoot: root,
      note: stamped,
    };
    const result = await runChaos(chaos);
    writeReport(options.report, result, options.from);
    summary(result, write);
    write(`Report: ${path.join(options.report, 'index.html')}`);
    return result.violations.length === 0 ? 0 : 1;
  } finally {
    await old?.remove();
    if (options.keep === true) write(`State and logs: ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

function writeReport(folder: string, result: ChaosResult, from: string | undefined): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'index.html'), chaosPage(result, from));
  writeFileSync(path.join(folder, 'result.json'), `${JSON.stringify(result)}\n`);
}

function summary({ violations, history, disturbances, recoveries, restMs }: ChaosResult, write: (line: string) => void): void {
  const count = (outcome: string): number => history.operations.filter((one) => one.outcome === outcome).length;
  const times = recoveries.flatMap(({ worstMs }) => worstMs ?? []).sort((a, b) => a - b);
  write(
    `${history.operations.length} operations: ${count('ok')} acknowledged, ${count('maybe')} of unknown outcome, ${count('refused')} refused; ${disturbances.length} faults`,
  );
  write(
    `recovered after ${seconds(times[Math.floor(times.length / 2)])} (median), ${seconds(times.at(-1))} (longest); at rest ${seconds(restMs)} after the load`,
  );
  if (violations.length === 0) write('every promise was kept');
  for (const { promise, what } of violations.slice(0, 40)) write(`VIOLATION ${promise}: ${what}`);
  if (violations.length > 40) write(`… and ${violations.length - 40} more`);
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`);

function stamp(write: (line: string) => void): (line: string) => void {
  const began = performance.now();
  return (line) => write(`[${((performance.now() - began) / 1_000).toFixed(1).padStart(6)}] ${line}`);
}
