import type { Bus } from '@plexus/bus';
import { pushDeliveryContracts } from '@plexus/contracts';
import { partitionOf } from '../../domain/partition.js';
import { LOG_CONTRACTS } from './log-entries.js';
import { LOG_STREAM } from './nats-log-feed.js';

/** A person with a very long history is forgotten over minutes, not within one request. */
const TIMEOUT_MS = 10_000;

/** What the streams of push hold about one person. */
export class PersonLog {
  constructor(private readonly bus: Pick<Bus, 'jetstream'>) {}

  /** Removes it for good; returns how many messages went. Repeating it is harmless. */
  async erase(tenant: string, user: string): Promise<number> {
    const part = String(partitionOf(tenant, user));
    const subjects = [
      ...Object.values(LOG_CONTRACTS).map((contract) => [LOG_STREAM, contract.subject(tenant, part, user)] as const),
      ['PLEXUS_CMD_PUSH', pushDeliveryContracts.deliverCommand.subject(tenant, part, user)] as const,
    ];
    let erased = 0;
    for (const [stream, subject] of subjects) erased += await this.bus.jetstream.eraseSubject(stream, subject, undefined, { timeoutMs: TIMEOUT_MS });
    return erased;
  }
}
