import { markdownTable } from '../report/markers.js';
import { short } from '../report/svg.js';
import { MODEL_SERVICES, SIZES, sizeFor } from './capacity.js';
import type { SimulationInputs } from './inputs.js';
import { simulateStorm, type StormResult } from './storm.js';
import { validate } from './validation.js';

const NUMERIC = [1, 2, 3];

/** The parts of docs/scaling.md that the program writes, by the name of their markers. */
export function scalingTables(inputs: SimulationInputs): Readonly<Record<string, string>> {
  return { assumptions: assumptions(inputs), sizes: sizes(inputs), limits: limits(inputs), storms: storms(inputs), validation: validation(inputs) };
}

function assumptions(inputs: SimulationInputs): string {
  const rows = (['people', 'machines', 'measured'] as const).flatMap((group) =>
    Object.entries(inputs[group]).map(([name, { value, unit, source }]) => [group, `\`${name}\``, value, unit, source]),
  );
  return markdownTable(['', 'input', 'value', 'unit', 'from'], rows, [2]);
}

function sizes(inputs: SimulationInputs): string {
  const all = SIZES.map((users) => sizeFor(users, inputs));
  const row = (name: string, of: (size: (typeof all)[number]) => number | string): (string | number)[] => [
    name,
    ...all.map((size) => {
      const value = of(size);
      return typeof value === 'number' ? short(value) : value;
    }),
  ];
  const rows = [
    row('operations/s at peak', (size) => size.operationsPerSecond),
    row('open connections', (size) => size.connections),
    ...MODEL_SERVICES.map((service) => row(`replicas of ${service}`, (size) => size.replicas[service])),
    row('memory of services, GiB', (size) => size.serviceGib),
    row('session events/s', (size) => size.sessionEventsPerSecond),
    row('NATS: messages stored/s', (size) => size.natsStoredPerSecond),
    row('NATS: messages delivered/s', (size) => size.natsDeliveredPerSecond),
    row('NATS: GiB written a day, copies included', (size) => size.natsGibPerDay),
    row('NATS: cores', (size) => size.natsCores),
    row('replay of session events, minutes', (size) => size.replayMinutes),
    row('Postgres: commits/s', (size) => size.commitsPerSecond),
    row('Postgres: rows written/s', (size) => size.rowsPerSecond),
    row('Postgres: WAL, MiB/s', (size) => size.walMibPerSecond),
    row('Postgres: cores', (size) => size.postgresCores),
    row('Postgres: connections', (size) => size.databaseConnections),
    row('memories and vectors, TiB', (size) => size.memoryTib),
    row('VMs at work', (size) => size.vms),
    row('memory of VMs, GiB', (size) => size.vmGib),
  ];
  return markdownTable(['at peak', ...SIZES.map((users) => `${short(users)} users`)], rows, NUMERIC);
}

function limits(inputs: SimulationInputs): string {
  const all = SIZES.map((users) => sizeFor(users, inputs));
  const order = all.at(-1)?.limits ?? [];
  const rows = order.map(({ name, lever }) => {
    const shares = all.map((size) => {
      const used = size.limits.find((limit) => limit.name === name)?.used ?? 0;
      const text = used >= 10 ? `${short(used)}×` : `${Math.round(used * 100)} %`;
      return used > 1 ? `**${text}**` : text;
    });
    return [name, ...shares, lever];
  });
  return markdownTable(['limit of the simplest deployment', ...SIZES.map((users) => `${short(users)}`), 'lever'], rows, NUMERIC);
}

export interface NamedStorm {
  readonly name: string;
  readonly clients: number;
  readonly gateways: number;
  readonly plain: StormResult;
  readonly spread: StormResult;
}

/** So many clients are simulated at most; more of them with as many more gateways look the same. */
const SIMULATED = 12_000;
export const SPREAD_MS = 60_000;

/** What happens when one gateway dies, and when all of them are restarted at once, for every size. */
export function namedStorms(inputs: SimulationInputs): NamedStorm[] {
  return SIZES.flatMap((users) => {
    const { connections, replicas } = sizeFor(users, inputs);
    const perGateway = connections / replicas.gateway;
    const others = Math.max(1, replicas.gateway - 1);
    return [
      { name: `${short(users)} users, one gateway of ${short(replicas.gateway)} dies`, clients: perGateway, gateways: others },
      { name: `${short(users)} users, every connection is lost`, clients: connections, gateways: replicas.gateway },
    ].map(({ name, clients, gateways }) => {
      const share = Math.min(1, SIMULATED / clients, gateways);
      // Clients and gateways are scaled down together, as far as there are gateways to leave out.
      const fewer = Math.max(1, Math.round(gateways * share));
      const input = { clients: Math.round((clients * fewer) / gateways), gateways: fewer, handshakeMs: inputs.measured.handshakeCpuMs.value, seed: 1 };
      return { name, clients, gateways, plain: simulateStorm({ ...input, spreadMs: 0 }), spread: simulateStorm({ ...input, spreadMs: SPREAD_MS }) };
    });
  });
}

function storms(inputs: SimulationInputs): string {
  const rows = namedStorms(inputs).map(({ name, clients, plain, spread }) => [
    name,
    short(Math.round(clients)),
    ...[plain, spread].flatMap((result) => [result.half.toFixed(1), result.most.toFixed(1), result.triesPerClient.toFixed(2)]),
  ]);
  const head = ['storm', 'clients', 'half back, s', '99 % back, s', 'tries each', 'spread: half, s', 'spread: 99 %, s', 'spread: tries'];
  return markdownTable(head, rows, [1, 2, 3, 4, 5, 6, 7]);
}

function validation(inputs: SimulationInputs): string {
  const rows = validate(inputs).map((step) => [
    step.offered,
    step.measuredCores.toFixed(2),
    step.predictedCores.toFixed(2),
    step.freeCores.toFixed(2),
    step.keptUp ? 'yes' : 'no',
    step.predictedKeptUp === undefined ? 'machine full' : step.predictedKeptUp ? 'yes' : 'no',
    `${step.measuredP50Ms.toFixed(0)} / ${step.measuredP99Ms.toFixed(0)}`,
    `${step.predictedP50Ms.toFixed(0)} / ${step.predictedP99Ms.toFixed(0)}`,
  ]);
  const { date, machine } = inputs.validation;
  const head = [
    'operations/s',
    'cores',
    'cores, model',
    'left by others',
    'kept up',
    'kept up, model',
    'chat acknowledged p50 / p99 ms',
    'all work of an operation p50 / p99 ms, model',
  ];
  return `Load test of ${date} on ${machine}; the model has only its first two steps.\n\n${markdownTable(head, rows, [0, 1, 2, 3, 6, 7])}`;
}
