import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { z } from 'zod';

/** One number that the model stands on, with where it comes from. */
const Input = z.object({ value: z.number().nonnegative(), unit: z.string(), source: z.string().min(1) });
const inputs = <T extends string>(...names: readonly T[]) => z.object(Object.fromEntries(names.map((name) => [name, Input])) as Record<T, typeof Input>);

/** The whole of `simulation-inputs.json`: assumed (what people do, what machines are rented) and measured (here, by `npm run bench` and `npm run load`). */
export const SimulationInputs = z.object({
  people: inputs(
    'operationsPerUserDay',
    'peakFactor',
    'onlineShare',
    'devicesPerPerson',
    'chatShare',
    'eventsPerRun',
    'sessionEventBytes',
    'busyVmShare',
    'memoriesPerUser',
    'bytesPerMemory',
  ),
  machines: inputs('utilisation', 'postgresCores', 'natsCopies', 'natsCoreFactor', 'connectionsPerGateway'),
  measured: inputs(
    'gatewayCpuMs',
    'routingCpuMs',
    'pushCpuMs',
    'memoryCpuMs',
    'schedulerCpuMs',
    'natsCpuMs',
    'postgresCpuMs',
    'runtimeCpuMs',
    'natsMessagesPerOperation',
    'natsBytesPerOperation',
    'commitsPerOperation',
    'rowsPerOperation',
    'walBytesPerOperation',
    'handshakeCpuMs',
    'connectionKib',
    'serviceMib',
    'runtimeMib',
    'streamPublishesPerSecond',
    'streamReadsPerSecond',
    'connectionsPerReplica',
    'sessionStreamGib',
  ),
  /** The load test that the measured part was taken from, step by step. */
  validation: z.object({
    date: z.string(),
    machine: z.string(),
    cores: z.number(),
    steps: z.array(
      z.object({
        offered: z.number(),
        achieved: z.number(),
        cores: z.number(),
        otherCores: z.number(),
        chatP50Ms: z.number(),
        chatP99Ms: z.number(),
        saturated: z.boolean(),
      }),
    ),
  }),
});
export type SimulationInputs = z.infer<typeof SimulationInputs>;

export const INPUTS_FILE = 'libs/chaos/simulation-inputs.json';

export function readInputs(file = path.join(repositoryRoot(), INPUTS_FILE)): SimulationInputs {
  return SimulationInputs.parse(JSON.parse(readFileSync(file, 'utf8')));
}
