import { markdownTable } from '../report/markers.js';
import { page, section, table } from '../report/page.js';
import { barChart, COLOURS, escapeXml, lineChart, type Series } from '../report/svg.js';
import { LOAD_KINDS, MIX } from './mix.js';
import { type LoadResult, MEASURES, type StepResult } from './run-load.js';

const MIB = 2 ** 20;
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** The report of a load test. */
export function loadPage(result: LoadResult, machine: string): string {
  const { steps, options, startedAt, loadAverage } = result;
  const sentence =
    `${startedAt}, ${escapeXml(machine)}, load average at the end ${loadAverage.map((one) => one.toFixed(1)).join(' / ')} (of whatever else runs here too). ` +
    `${options.users} people with a connection and a VM each, ${options.replicas} replica${options.replicas === 1 ? '' : 's'} of every service, ${options.natsNodes} nats-server${options.natsNodes === 1 ? '' : 's'}, ` +
    `one Postgres, and the load generator, all on this machine. Arrivals are an open loop; latency counts from when an operation was due.`;
  return page('Plexus under load', [
    `<p>${sentence}</p>`,
    `<p>${result.sustainedPerSecond === undefined ? 'No rate was kept up with.' : `<b>${result.sustainedPerSecond} operations per second</b> were kept up with.`} ${saturation(steps)}</p>`,
    section(
      'Mix',
      table(
        ['kind', 'share'],
        LOAD_KINDS.map((kind) => [kind, `${Math.round(MIX[kind] * 100)} %`]),
        [1],
      ),
    ),
    section('Throughput', throughput(steps)),
    section('Latency', ...[0.5, 0.99].map((share) => latency(steps, share)), latencyTable(steps)),
    section('Distribution at the highest rate that was kept up with', distribution(steps)),
    section('Processes', cores(steps), usageTable(steps)),
  ]);
}

/** The same as tables in Markdown. */
export function loadTables(result: LoadResult, machine: string): string {
  const { steps, options, startedAt, loadAverage } = result;
  const groups = groupsOf(steps);
  const kept = lastKept(steps);
  return [
    `Measured ${startedAt.slice(0, 10)} on ${machine}; load average at the end ${loadAverage.map((one) => one.toFixed(1)).join(' / ')}: other programs shared the machine. ` +
      `${options.users} people, ${options.replicas} replica${options.replicas === 1 ? '' : 's'} of every service, ${options.natsNodes} nats-server${options.natsNodes === 1 ? '' : 's'}, seed ${options.seed}, ${options.stepMs / 1_000} s a step. ` +
      `${result.sustainedPerSecond === undefined ? 'No rate was kept up with.' : `**${result.sustainedPerSecond} operations/s** were kept up with.`} ${saturation(steps)}`,
    '',
    markdownTable(
      ['offered/s', 'done/s', 'failed', ...MEASURES.map((measure) => `${measure} p50 / p99 ms`)],
      steps.map((step) => [
        step.offeredPerSecond,
        step.achievedPerSecond.toFixed(1),
        step.failed,
        ...MEASURES.map((measure) => `${ms(step.latencies[measure].percentile(0.5))} / ${ms(step.latencies[measure].percentile(0.99))}`),
      ]),
      [0, 1, 2, ...MEASURES.map((_, at) => at + 3)],
    ),
    '',
    kept === undefined ? '' : `At ${kept.offeredPerSecond}/s:`,
    '',
    kept === undefined
      ? ''
      : markdownTable(
          ['process', 'cores', 'CPU ms per operation', 'resident MiB', 'processes'],
          groups.map((name) => {
            const usage = kept.usage[name] ?? { cores: 0, residentBytes: 0, processes: 0 };
            return [
              name,
              usage.cores.toFixed(2),
              ((usage.cores / kept.achievedPerSecond) * 1_000).toFixed(2),
              Math.round(usage.residentBytes / MIB),
              usage.processes,
            ];
          }),
          [1, 2, 3, 4],
        ),
  ].join('\n');
}

const groupsOf = (steps: readonly StepResult[]): string[] => [...new Set(steps.flatMap(({ usage }) => Object.keys(usage)))];
const lastKept = (steps: readonly StepResult[]): StepResult | undefined => steps.filter(({ saturated }) => !saturated).at(-1);

function saturation(steps: readonly StepResult[]): string {
  const first = steps.find(({ saturated }) => saturated);
  if (first === undefined) return 'The highest rate did not saturate it.';
  const [busiest] = Object.entries(first.usage).sort(([, a], [, b]) => b.cores - a.cores);
  const total = Object.values(first.usage).reduce((sum, { cores }) => sum + cores, 0);
  return `At ${first.offeredPerSecond}/s it did not keep up (${first.achievedPerSecond.toFixed(1)}/s done, ${total.toFixed(2)} cores in use; most by ${busiest?.[0] ?? 'nobody'}, ${busiest?.[1].cores.toFixed(2) ?? '0'}).`;
}

function throughput(steps: readonly StepResult[]): string {
  const points = steps.map((step): [number, number] => [step.offeredPerSecond, step.achievedPerSecond]);
  const ideal = steps.map(({ offeredPerSecond }): [number, number] => [offeredPerSecond, offeredPerSecond]);
  return lineChart(
    [
      { name: 'acknowledged', colour: COLOURS[0], points },
      { name: 'offered', colour: '#999', points: ideal },
    ],
    { title: 'Acknowledged against offered operations', xLabel: 'offered per second', yLabel: 'per second' },
  );
}

function latency(steps: readonly StepResult[], share: number): string {
  const series = MEASURES.map((measure, at): Series => {
    const points = steps.map((step): [number, number] => [step.offeredPerSecond, Math.max(0.1, step.latencies[measure].percentile(share))]);
    return { name: measure, colour: COLOURS[at % COLOURS.length] as string, points };
  });
  return lineChart(series, { title: `p${share * 100} by rate`, xLabel: 'offered per second', yLabel: 'ms', logY: true, width: 1_150 });
}

function latencyTable(steps: readonly StepResult[]): string {
  const rows = steps.flatMap((step) =>
    MEASURES.map((measure) => {
      const one = step.latencies[measure];
      return [step.offeredPerSecond, measure, one.count, ...[0.5, 0.9, 0.99, 0.999].map((share) => ms(one.percentile(share))), ms(one.max)];
    }),
  );
  return `<details><summary>All percentiles</summary>${table(['offered/s', 'what', 'count', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'longest ms'], rows, [0, 2, 3, 4, 5, 6, 7])}</details>`;
}

function distribution(steps: readonly StepResult[]): string {
  const step = lastKept(steps) ?? steps[0];
  if (step === undefined) return '';
  const shares = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];
  const series = MEASURES.map((measure, at): Series => {
    // Percentiles on a scale on which each nine takes the same room.
    const points = shares.map((share): [number, number] => [1 / (1 - share), Math.max(0.1, step.latencies[measure].percentile(share))]);
    return { name: measure, colour: COLOURS[at % COLOURS.length] as string, points };
  });
  return lineChart(series, {
    title: `Percentiles at ${step.offeredPerSecond}/s`,
    xLabel: '1 of so many is slower',
    yLabel: 'ms',
    logX: true,
    logY: true,
    width: 1_150,
  });
}

function cores(steps: readonly StepResult[]): string {
  const step = lastKept(steps) ?? steps[0];
  if (step === undefined) return '';
  const bars = Object.entries(step.usage).map(([label, usage]) => ({
    label,
    value: usage.cores,
    text: `${usage.cores.toFixed(2)} cores, ${Math.round(usage.residentBytes / MIB)} MiB`,
  }));
  return barChart(bars, { title: `CPU at ${step.offeredPerSecond}/s` });
}

function usageTable(steps: readonly StepResult[]): string {
  const groups = groupsOf(steps);
  const rows = steps.map((step) => [
    step.offeredPerSecond,
    ...groups.map((name) => `${step.usage[name]?.cores.toFixed(2) ?? '–'} / ${Math.round((step.usage[name]?.residentBytes ?? 0) / MIB)}`),
  ]);
  return `<details><summary>Cores / resident MiB by rate</summary>${table(['offered/s', ...groups], rows, [0, ...groups.map((_, at) => at + 1)])}</details>`;
}
