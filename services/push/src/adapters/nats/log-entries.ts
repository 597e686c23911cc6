import type { EncodedEvent, EventInput } from '@plexus/bus';
import { type LogContract, NO_TENANT, pushLogContracts } from '@plexus/contracts';
import type { InputOf } from '@plexus/contracts';
import { partitionOf } from '../../domain/partition.js';

type Logged = typeof pushLogContracts.PUSH_LOG;
export type LogKind = 'candidate' | 'ack' | 'read' | 'preference' | 'timer' | 'policy' | 'silence' | 'grant' | 'subscription';

export const LOG_CONTRACTS = {
  candidate: pushLogContracts.candidateLogged,
  ack: pushLogContracts.ackLogged,
  read: pushLogContracts.readLogged,
  preference: pushLogContracts.preferenceLogged,
  timer: pushLogContracts.timerLogged,
  policy: pushLogContracts.policyLogged,
  silence: pushLogContracts.silenceLogged,
  grant: pushLogContracts.grantLogged,
  subscription: pushLogContracts.subscriptionLogged,
} as const satisfies Record<LogKind, LogContract>;

export type LogData<K extends LogKind> = InputOf<Logged[`${K}Logged`]>;

/** What is to be written into the log. `user` `_`: everybody of the tenant. `id` makes a repeat harmless: unique per (tenant, user, kind). */
export interface LogEntry<K extends LogKind = LogKind> {
  readonly tenant: string;
  readonly user: string;
  readonly kind: K;
  readonly id: string;
  readonly data: LogData<K>;
}

/** Encodes entries of push's log, for an outbox or for publishing at once. */
export class LogEntries {
  constructor(private readonly encode: (contract: LogContract, event: EventInput<LogContract>) => EncodedEvent) {}

  /** One message for a user, one for each partition when it concerns everybody. */
  encoded<K extends LogKind>(entry: LogEntry<K>): EncodedEvent[] {
    const everybody = entry.user === NO_TENANT;
    const partitions = everybody ? Array.from({ length: pushLogContracts.PUSH_PARTITIONS }, (_, part) => part) : [partitionOf(entry.tenant, entry.user)];
    return partitions.map((part) => this.#encodeOne(entry, part, everybody));
  }

  #encodeOne(entry: LogEntry, part: number, everybody: boolean): EncodedEvent {
    const id = everybody ? `${entry.kind}:${entry.id}:${part}` : `${entry.kind}:${entry.user}:${entry.id}`;
    return this.encode(LOG_CONTRACTS[entry.kind], { tenant: entry.tenant, key: [String(part), entry.user], data: entry.data, id });
  }
}
