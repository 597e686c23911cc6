import type { Bus } from '@plexus/bus';
import { buildSubject, CONSUMERS, pushContracts, pushDeliveryContracts } from '@plexus/contracts';
import { partitionOf } from '../../domain/partition.js';
import { LOG_CONTRACTS } from './log-entries.js';
import { LOG_STREAM } from './nats-log-feed.js';

/** A person with a very long history is forgotten over minutes, not within one request. */
const TIMEOUT_MS = 10_000;
/** Who parks what is about a person: the consumer of deliveries, and the readers of the log. */
const PARKING = [CONSUMERS.pushDeliver.name, 'push-decider'];

interface PersonSubject {
  readonly stream: string;
  readonly subject: string;
}

/** Everywhere in the streams of push where something about one person may stand. */
export function subjectsOfPerson(tenant: string, user: string): PersonSubject[] {
  const part = String(partitionOf(tenant, user));
  const dead = (name: string) => buildSubject({ kind: 'dlq', tenant, domain: 'push', name, version: 1, key: [part, user] });
  return [
    ...Object.values(LOG_CONTRACTS).map((contract) => ({ stream: LOG_STREAM, subject: contract.subject(tenant, part, user) })),
    { stream: 'PLEXUS_CMD_PUSH', subject: pushDeliveryContracts.deliverCommand.subject(tenant, part, user) },
    { stream: 'PLEXUS_EVT_PUSH', subject: pushContracts.delivered.subject(tenant, user) },
    ...PARKING.map((consumer) => ({ stream: 'PLEXUS_DLQ', subject: dead(consumer) })),
  ];
}

/** What the streams of push hold about one person. */
export class PersonLog {
  constructor(private readonly bus: Pick<Bus, 'jetstream'>) {}

  /** Removes it for good; returns how many messages went. Repeating it is harmless. */
  async erase(tenant: string, user: string): Promise<number> {
    let erased = 0;
    for (const { stream, subject } of subjectsOfPerson(tenant, user)) {
      erased += await this.bus.jetstream.eraseSubject(stream, subject, undefined, { timeoutMs: TIMEOUT_MS });
    }
    return erased;
  }
}
