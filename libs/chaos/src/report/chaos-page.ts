import { PROMISES, type Promised } from '../checker/violation.js';
import type { OperationKind } from '../history.js';
import type { ChaosResult } from '../run-chaos.js';
import { page, section, table } from './page.js';
import { barChart, COLOURS, escapeXml, lineChart, type Series } from './svg.js';

const KINDS: readonly OperationKind[] = ['say', 'event', 'remember', 'inject', 'ensure'];
const BUCKET_MS = 5_000;

/** The report of a run: what was promised, what was broken and when, how quickly it worked again. */
export function chaosPage(result: ChaosResult, from?: string): string {
  const { options, violations, startedAt, history } = result;
  const verdict =
    violations.length === 0
      ? '<p class="good">Every promise was kept.</p>'
      : `<p class="bad">${violations.length} violation${violations.length === 1 ? '' : 's'}.</p>`;
  const sentence =
    `Seed ${options.seed}, ${(result.loadMs / 60_000).toFixed(1)} minutes of load from ${startedAt}, lease times × ${options.slow}; ` +
    `${options.replicas} replicas of every service${result.memoryReplicas < options.replicas ? ' except memory, which has one because this Postgres has no pgvector' : ''}, ` +
    `${options.natsNodes} nats-servers with as many copies of every stream, one Postgres; ${options.tenants} tenants with ${options.usersPerTenant} people and one integrator each; ` +
    `VMs are real runtimes with a scripted model. ${from === undefined ? 'Rolling upgrades went to the same build.' : `Rolling upgrades went from ${escapeXml(from)} to the working tree.`}`;
  return page('Plexus under chaos', [
    verdict,
    `<p>${sentence}</p>`,
    section('Promises', promises(result)),
    section('What clients saw', traffic(result), latency(result)),
    section('Operations', operations(result)),
    section('Recovery', recoveryChart(result), recoveryTable(result)),
    section('How runs ended', runEnds(history)),
    section('Not acknowledged', failures(result)),
    ...(violations.length === 0
      ? []
      : [
          section(
            'Violations',
            table(
              ['promise', 'what'],
              violations.map(({ promise, what }) => [promise, what]),
            ),
          ),
        ]),
  ]);
}

function promises({ violations }: ChaosResult): string {
  const rows = (Object.keys(PROMISES) as Promised[]).map((name) => {
    const broken = violations.filter(({ promise }) => promise === name).length;
    return [name, PROMISES[name], broken === 0 ? 'kept' : `broken ${broken} times`];
  });
  return table(['', 'promise', ''], rows);
}

function bands({ disturbances }: ChaosResult): { from: number; to: number; label: string }[] {
  return disturbances.map(({ kind, target, from, to }) => ({ from: from / 1_000, to: to / 1_000, label: `${kind} ${target}` }));
}

function traffic(result: ChaosResult): string {
  const series = KINDS.map((kind, at): Series => {
    const done = result.history.operations.filter((one) => one.kind === kind && one.outcome === 'ok');
    return { name: kind, colour: COLOURS[at] as string, points: perBucket(done.map(({ endedAt }) => endedAt)) };
  });
  return lineChart(series, { title: 'Acknowledged per second (faults shaded)', xLabel: 'seconds', yLabel: 'per second', bands: bands(result) });
}

function perBucket(times: readonly number[]): [number, number][] {
  const last = Math.max(0, ...times);
  const counts = Array.from({ length: Math.floor(last / BUCKET_MS) + 1 }, () => 0);
  for (const time of times) counts[Math.floor(time / BUCKET_MS)] = (counts[Math.floor(time / BUCKET_MS)] ?? 0) + 1;
  return counts.map((count, at) => [((at + 0.5) * BUCKET_MS) / 1_000, count / (BUCKET_MS / 1_000)]);
}

function latency(result: ChaosResult): string {
  const series = KINDS.slice(0, 3).map((kind, at): Series => {
    const worst = new Map<number, number>();
    for (const { kind: of, outcome, startedAt, endedAt } of result.history.operations) {
      if (of !== kind || outcome !== 'ok') continue;
      const bucket = Math.floor(startedAt / BUCKET_MS);
      worst.set(bucket, Math.max(worst.get(bucket) ?? 0, endedAt - startedAt));
    }
    const points = [...worst].sort(([a], [b]) => a - b).map(([bucket, ms]): [number, number] => [((bucket + 0.5) * BUCKET_MS) / 1_000, Math.max(1, ms)]);
    return { name: kind, colour: COLOURS[at] as string, points };
  });
  return lineChart(series, {
    title: 'Longest wait for an acknowledgement, retries included',
    xLabel: 'seconds',
    yLabel: 'ms',
    logY: true,
    bands: bands(result),
  });
}

function operations({ history }: ChaosResult): string {
  const rows = KINDS.map((kind) => {
    const all = history.operations.filter((one) => one.kind === kind);
    const took = all
      .filter(({ outcome }) => outcome === 'ok')
      .map(({ startedAt, endedAt }) => endedAt - startedAt)
      .sort((a, b) => a - b);
    const count = (outcome: string): number => all.filter((one) => one.outcome === outcome).length;
    const at = (share: number): string =>
      took.length === 0 ? '–' : `${Math.round(took[Math.min(took.length - 1, Math.floor(took.length * share))] as number)}`;
    const tries = all.reduce((sum, { attempts }) => sum + attempts, 0);
    return [kind, all.length, count('ok'), count('maybe'), count('refused'), tries, at(0.5), at(0.99), at(1)];
  });
  return table(['kind', 'operations', 'acknowledged', 'unknown', 'refused', 'tries', 'p50 ms', 'p99 ms', 'longest ms'], rows, [1, 2, 3, 4, 5, 6, 7, 8]);
}

function recoveryChart({ recoveries }: ChaosResult): string {
  const worst = new Map<string, number>();
  for (const { disturbance, worstMs } of recoveries)
    if (worstMs !== undefined) worst.set(disturbance.kind, Math.max(worst.get(disturbance.kind) ?? 0, worstMs));
  const bars = [...worst].sort(([, a], [, b]) => b - a).map(([label, ms]) => ({ label, value: ms / 1_000, text: `${(ms / 1_000).toFixed(1)} s` }));
  return barChart(bars, { title: 'From the begin of a fault until every kind of operation worked again (longest of each kind of fault)' });
}

function recoveryTable({ recoveries }: ChaosResult): string {
  const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : (ms / 1_000).toFixed(1));
  const rows = recoveries.map(({ disturbance: { kind, target, from, to }, firstSuccessMs }) => [
    seconds(from),
    kind,
    target,
    seconds(to - from),
    ...KINDS.map((one) => seconds(firstSuccessMs[one])),
  ]);
  const head = ['at s', 'fault', 'target', 'lasted s', ...KINDS.map((kind) => `${kind} s`)];
  return `<details><summary>Every fault: seconds from its begin to the first success of what began after it</summary>${table(head, rows, [0, 3, 4, 5, 6, 7, 8])}</details>`;
}

function runEnds({ final }: ChaosResult['history']): string {
  return table(['status', 'runs'], tally(final.runs.map(({ status, error }) => (error === undefined ? status : `${status} ${error}`))), [1]);
}

function failures({ history }: ChaosResult): string {
  const errors = history.operations
    .filter(({ outcome }) => outcome !== 'ok')
    .map(({ kind, outcome, error = '' }) => `${kind}, ${outcome}: ${error.replaceAll(/\d{2,}/g, '…').slice(0, 140)}`);
  return errors.length === 0 ? '<p>Everything was acknowledged.</p>' : table(['last answer', 'operations'], tally(errors).slice(0, 30), [1]);
}

function tally(words: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}
