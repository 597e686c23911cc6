import type { Random } from '../random.js';

/** What can be broken. */
export const FAULT_KINDS = [
  'kill-service',
  'pause-service',
  'kill-runtime',
  'kill-nats',
  'pause-nats',
  'postgres-fast',
  'postgres-immediate',
  'postgres-kill',
  'cut-clients',
  'delay-clients',
  'stall-clients',
  'cut-vms',
  'cut-nats-lines',
  'stall-nats-lines',
  'delay-nats-lines',
  'cut-database-lines',
  'stall-database-lines',
  'delay-database-lines',
  'full-streams',
  'rolling-restart',
  'rolling-upgrade',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface PlannedFault {
  /** Ms since the load began. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Replica, number of a nats-server, or what the kind needs. */
  readonly target: string;
  /** How long it is held, for faults that last. */
  readonly holdMs: number;
  /** Of delays, in ms. */
  readonly delayMs?: number;
}

export interface ScheduleInput {
  readonly random: Random;
  readonly durationMs: number;
  readonly replicas: readonly string[];
  /** Replicas with a database of their own to lose. */
  readonly databaseReplicas: readonly string[];
  readonly natsNodes: number;
  /** Multiplies what is held, as lease times are. */
  readonly slow: number;
  /** Only these kinds; default all. */
  readonly kinds?: readonly FaultKind[];
  /** Mean pause between the begin of two faults, in ms. */
  readonly everyMs: number;
}

/** Streams that are made full: what integrators publish into, and what the services publish into themselves. */
export const FULL_STREAMS = ['PLEXUS_IN', 'PLEXUS_EVT_SESSION', 'PLEXUS_PUSH_LOG', 'PLEXUS_CMD_RUN'] as const;
const QUIET_START_MS = 3_000;
/** The last part of a run has no new faults, so that all of them have an "after". */
const QUIET_END_SHARE = 0.12;

/** The faults of a run, in the order in which they begin: the same for the same seed. Every kind comes once before any comes twice. */
export function planFaults(input: ScheduleInput): PlannedFault[] {
  const { random, durationMs, everyMs } = input;
  const kinds = input.kinds ?? FAULT_KINDS;
  const end = durationMs * (1 - QUIET_END_SHARE);
  const planned: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  for (let atMs = QUIET_START_MS; atMs < end; atMs += Math.round(everyMs * (0.6 + 0.8 * random.next()))) {
    if (deck.length === 0) deck = random.shuffled(kinds);
    planned.push({ atMs, ...draw(deck.shift() as FaultKind, input) });
  }
  return planned;
}

function draw(kind: FaultKind, { random, replicas, databaseReplicas, natsNodes, slow }: ScheduleInput): Omit<PlannedFault, 'atMs'> {
  const hold = (low: number, high: number): number => Math.round(random.between(low, high) * slow);
  const node = (): string => String(random.between(1, natsNodes));
  switch (kind) {
    case 'kill-service':
      return { kind, target: random.pick(replicas), holdMs: 0 };
    case 'pause-service':
      return { kind, target: random.pick(replicas), holdMs: hold(2_000, 14_000) };
    case 'kill-nats':
      return { kind, target: node(), holdMs: hold(500, 5_000) };
    case 'pause-nats':
      return { kind, target: node(), holdMs: hold(2_000, 8_000) };
    case 'stall-clients':
      return { kind, target: 'clients', holdMs: hold(2_000, 8_000) };
    case 'delay-clients':
      return { kind, target: 'clients', holdMs: hold(3_000, 10_000), delayMs: random.between(50, 800) };
    case 'cut-nats-lines':
      return { kind, target: random.pick(replicas), holdMs: hold(0, 2_000) };
    case 'stall-nats-lines':
      return { kind, target: random.pick(replicas), holdMs: hold(2_000, 12_000) };
    case 'delay-nats-lines':
      return { kind, target: random.pick(replicas), holdMs: hold(3_000, 10_000), delayMs: random.between(20, 400) };
    case 'cut-database-lines':
      return { kind, target: random.pick(databaseReplicas), holdMs: hold(0, 2_000) };
    case 'stall-database-lines':
      return { kind, target: random.pick(databaseReplicas), holdMs: hold(2_000, 12_000) };
    case 'delay-database-lines':
      return { kind, target: random.pick(databaseReplicas), holdMs: hold(3_000, 10_000), delayMs: random.between(20, 300) };
    case 'full-streams':
      return { kind, target: random.pick(FULL_STREAMS), holdMs: hold(3_000, 10_000) };
    case 'kill-runtime':
    case 'postgres-fast':
    case 'postgres-immediate':
    case 'postgres-kill':
    case 'cut-clients':
    case 'cut-vms':
    case 'rolling-restart':
    case 'rolling-upgrade':
      return { kind, target: '*', holdMs: 0 };
  }
}

/** One line per fault, for people. */
export function describeFault({ atMs, kind, target, holdMs, delayMs }: PlannedFault): string {
  const at = `${(atMs / 1_000).toFixed(1).padStart(7)} s`;
  const details = [holdMs > 0 ? `for ${(holdMs / 1_000).toFixed(1)} s` : '', delayMs === undefined ? '' : `by ${delayMs} ms`].filter((part) => part !== '');
  return [at, kind.padEnd(21), target, ...details].join('  ');
}
