import { z } from 'zod';
import type { SimulationInputs } from './inputs.js';

/** What is read of the `result.json` of a load test. */
const LoadOutcome = z.object({
  startedAt: z.string(),
  machine: z.string(),
  cores: z.number(),
  handshakes: z.object({ gatewayCpuMs: z.number() }),
  steps: z
    .array(
      z.object({
        offeredPerSecond: z.number(),
        achievedPerSecond: z.number(),
        saturated: z.boolean(),
        otherCores: z.number(),
        usage: z.record(z.string(), z.object({ cores: z.number() })),
        perOperation: z.object({ natsMessages: z.number(), natsBytes: z.number(), commits: z.number(), rows: z.number(), walBytes: z.number() }),
        chat: z.object({ p50Ms: z.number(), p99Ms: z.number() }),
      }),
    )
    .min(1),
});

const GROUPS = {
  gatewayCpuMs: 'gateway',
  routingCpuMs: 'routing',
  pushCpuMs: 'push',
  memoryCpuMs: 'memory',
  schedulerCpuMs: 'scheduler',
  natsCpuMs: 'nats-server',
  postgresCpuMs: 'postgres',
  runtimeCpuMs: 'VM runtimes',
} as const;
const TRAFFIC = {
  natsMessagesPerOperation: 'natsMessages',
  natsBytesPerOperation: 'natsBytes',
  commitsPerOperation: 'commits',
  rowsPerOperation: 'rows',
  walBytesPerOperation: 'walBytes',
} as const;

/** Puts the figures of a load test in the place of the measured inputs: those of the highest rate that was kept up with, because idle work counts least there. */
export function takeMeasured(inputs: SimulationInputs, outcome: unknown): SimulationInputs {
  const { startedAt, machine, cores, handshakes, steps } = LoadOutcome.parse(outcome);
  const step = steps.filter(({ saturated }) => !saturated).at(-1) ?? (steps[0] as (typeof steps)[number]);
  const date = startedAt.slice(0, 10);
  const source = `npm run load, ${date}, at ${step.offeredPerSecond}/s`;
  const measured = { ...inputs.measured };
  for (const [name, group] of Object.entries(GROUPS) as [keyof typeof GROUPS, string][]) {
    measured[name] = { value: round(((step.usage[group]?.cores ?? 0) / step.achievedPerSecond) * 1_000), unit: 'ms per operation', source };
  }
  for (const [name, key] of Object.entries(TRAFFIC) as [keyof typeof TRAFFIC, (typeof TRAFFIC)[keyof typeof TRAFFIC]][]) {
    measured[name] = { value: round(step.perOperation[key]), unit: 'per operation', source };
  }
  measured.handshakeCpuMs = { value: round(handshakes.gatewayCpuMs), unit: 'ms', source: `npm run load, ${date}` };
  const validated = steps.map((one) => ({
    offered: one.offeredPerSecond,
    achieved: round(one.achievedPerSecond),
    // The load generator works on the same cores.
    cores: round(Object.values(one.usage).reduce((sum, usage) => sum + usage.cores, 0)),
    otherCores: round(one.otherCores),
    chatP50Ms: round(one.chat.p50Ms),
    chatP99Ms: round(one.chat.p99Ms),
    saturated: one.saturated,
  }));
  return { ...inputs, measured, validation: { date, machine, cores, steps: validated } };
}

const round = (value: number): number => Number(value.toPrecision(4));
