import type { SimulationInputs } from './inputs.js';

export const SIZES = [100_000, 1_000_000, 10_000_000] as const;
export const MODEL_SERVICES = ['gateway', 'routing', 'push', 'memory', 'scheduler'] as const;
export type ModelService = (typeof MODEL_SERVICES)[number];

const DAY_SECONDS = 86_400;
const GIB = 2 ** 30;
const MIB_PER_GIB = 1_024;

/** How much of one limit of the simplest deployment (one cluster, one primary, one stream per domain) is used at peak; above 1 it is broken. */
export interface Limit {
  readonly name: string;
  readonly used: number;
  readonly lever: string;
}

export interface Size {
  readonly users: number;
  readonly operationsPerSecond: number;
  readonly connections: number;
  readonly replicas: Readonly<Record<ModelService, number>>;
  readonly sessionEventsPerSecond: number;
  readonly natsStoredPerSecond: number;
  /** What leaves nats-servers for gateways: every gateway process reads the whole stream of session events. */
  readonly natsDeliveredPerSecond: number;
  readonly natsGibPerDay: number;
  /** How far back the stream of session events reaches with the size that is declared for it. */
  readonly replayMinutes: number;
  readonly natsCores: number;
  readonly commitsPerSecond: number;
  readonly rowsPerSecond: number;
  readonly walMibPerSecond: number;
  readonly postgresCores: number;
  readonly databaseConnections: number;
  readonly vms: number;
  readonly vmGib: number;
  readonly serviceGib: number;
  readonly memoryTib: number;
  readonly limits: readonly Limit[];
}

type Values<T> = { readonly [K in keyof T]: number };
const valuesOf = <T extends Readonly<Record<string, { value: number }>>>(group: T): Values<T> =>
  Object.fromEntries(Object.entries(group).map(([name, { value }]) => [name, value])) as Values<T>;

/** What `users` need at the busiest time of the day: rates from what people do, sizes from what was measured per operation. */
export function sizeFor(users: number, inputs: SimulationInputs): Size {
  const [people, machines, measured] = [valuesOf(inputs.people), valuesOf(inputs.machines), valuesOf(inputs.measured)];
  const operationsPerSecond = (users * people.operationsPerUserDay * people.peakFactor) / DAY_SECONDS;
  const connections = users * people.onlineShare * people.devicesPerPerson;
  const sessionEventsPerSecond = operationsPerSecond * people.chatShare * people.eventsPerRun;
  const natsStoredPerSecond = operationsPerSecond * measured.natsMessagesPerOperation + sessionEventsPerSecond;
  const coresOf = (cpuMs: number): number => (operationsPerSecond * cpuMs) / 1_000;
  /** One replica is one busy thread. */
  const byCpu = (cpuMs: number): number => coresOf(cpuMs) / machines.utilisation;
  // Each gateway spends this share of its one thread on reading what all of them read.
  const readingShare = sessionEventsPerSecond / measured.streamReadsPerSecond;
  const gatewayRoom = Math.max(0.05, machines.utilisation - readingShare);
  const replicas = {
    gateway: atLeastTwo(Math.max(coresOf(measured.gatewayCpuMs) / gatewayRoom, connections / machines.connectionsPerGateway)),
    routing: atLeastTwo(byCpu(measured.routingCpuMs)),
    push: atLeastTwo(byCpu(measured.pushCpuMs)),
    memory: atLeastTwo(byCpu(measured.memoryCpuMs)),
    scheduler: atLeastTwo(byCpu(measured.schedulerCpuMs)),
  };
  const withDatabase = replicas.routing + replicas.push + replicas.memory + replicas.scheduler;
  const vms = users * people.busyVmShare;
  const postgresCores = byCpu(measured.postgresCpuMs);
  const commitsPerSecond = operationsPerSecond * measured.commitsPerOperation;
  const replayMinutes = (measured.sessionStreamGib * GIB) / (sessionEventsPerSecond * people.sessionEventBytes) / 60;
  const memoryTib = (users * people.memoriesPerUser * people.bytesPerMemory) / 1_024 ** 4;
  const size = {
    users,
    operationsPerSecond,
    connections,
    replicas,
    sessionEventsPerSecond,
    natsStoredPerSecond,
    natsDeliveredPerSecond: sessionEventsPerSecond * (replicas.gateway + 2) + operationsPerSecond * measured.natsMessagesPerOperation,
    natsGibPerDay:
      (DAY_SECONDS * (operationsPerSecond * measured.natsBytesPerOperation + sessionEventsPerSecond * people.sessionEventBytes) * machines.natsCopies) /
      people.peakFactor /
      GIB,
    replayMinutes,
    natsCores: byCpu(measured.natsCpuMs) * machines.natsCoreFactor,
    commitsPerSecond,
    rowsPerSecond: operationsPerSecond * measured.rowsPerOperation,
    walMibPerSecond: (operationsPerSecond * measured.walBytesPerOperation) / 2 ** 20,
    postgresCores,
    databaseConnections: withDatabase * measured.connectionsPerReplica,
    vms,
    vmGib: (vms * measured.runtimeMib) / MIB_PER_GIB,
    serviceGib: ((replicas.gateway + withDatabase) * measured.serviceMib) / MIB_PER_GIB + (connections * measured.connectionKib) / 2 ** 20,
    memoryTib,
  };
  return { ...size, limits: limitsOf(size, readingShare, inputs) };
}

function limitsOf(size: Omit<Size, 'limits'>, readingShare: number, inputs: SimulationInputs): Limit[] {
  const [machines, measured] = [valuesOf(inputs.machines), valuesOf(inputs.measured)];
  const perStream = measured.streamPublishesPerSecond / machines.natsCopies;
  const limits: Limit[] = [
    {
      name: 'one gateway process reads every session event',
      used: readingShare / machines.utilisation,
      lever: 'gateways, account and session stream per tenant class',
    },
    { name: 'one stream of session events takes every event', used: size.sessionEventsPerSecond / perStream, lever: 'stream per tenant class' },
    {
      name: 'replay of session events reaches back ten minutes',
      used: 10 / size.replayMinutes,
      lever: 'max_bytes of PLEXUS_EVT_SESSION (operators may set it)',
    },
    {
      name: 'one Postgres primary',
      used: size.postgresCores / machines.postgresCores,
      lever: 'a database per service, then tenants spread over databases; read replicas for searches',
    },
    { name: 'connections of one Postgres (500)', used: size.databaseConnections / 500, lever: 'a pooler in transaction mode; fewer connections per replica' },
    { name: 'push has 64 partitions', used: size.replicas.push / 64, lever: 'a push log with more partitions (a new stream), or one per tenant class' },
    { name: 'vectors of one Postgres (4 TiB)', used: size.memoryTib / 4, lever: 'memory spread over databases by tenant' },
  ];
  return limits.sort((a, b) => b.used - a.used);
}

const atLeastTwo = (replicas: number): number => Math.max(2, Math.ceil(replicas));
