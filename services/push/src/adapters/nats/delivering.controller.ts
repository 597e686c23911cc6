import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Delivery, Outcome, RpcContext } from '@plexus/bus';
import { Consume, Rpc } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, pushDeliveryContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import { DeliverItem } from '../../application/deliver-item.js';
import { PostgresAttemptBook } from '../postgres/attempt-book.js';
import { ownerOf } from './caller.js';
import { Patience } from './patience.js';

const { deliverCommand, listAttempts } = pushDeliveryContracts;
/** A message is held this long while the database is away. */
const LONGEST_OUTAGE_MS = 60 * 60_000;

@Controller()
export class DeliveringController {
  constructor(
    private readonly deliver: DeliverItem,
    private readonly attempts: PostgresAttemptBook,
    private readonly patience: Patience,
  ) {}

  /** Each tenant's own budget bounds how many of these wait for an answer of its channels. */
  @Consume(CONSUMERS.pushDeliver, { concurrency: 64, handlerTimeoutMs: LONGEST_OUTAGE_MS, contracts: [deliverCommand] })
  async onDeliver(@Ctx() { tenant, data, seq, time, signal }: Delivery<DataOf<typeof deliverCommand>>): Promise<Outcome> {
    const outcome = await this.patience.whileUnavailable(() => this.deliver.execute({ tenant, command: data, seq, storedAt: time, signal }), signal);
    return outcome === 'gave-up' ? { kind: 'retry', afterMs: 500, reason: 'stopping while the database is unavailable' } : outcome;
  }

  @Rpc(listAttempts)
  async list(@Payload() { deliveryId }: DataOf<typeof listAttempts>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listAttempts>> {
    const { tenant, user } = ownerOf(context, SCOPES.read);
    const found = isStorableText(deliveryId) ? await this.attempts.ofDelivery(tenant, user, deliveryId) : [];
    return {
      attempts: found.map(({ channel, level, attempt, status, error, contact, at }) => ({
        channel,
        level,
        attempt,
        status,
        at: at.toISOString(),
        ...(error !== null && { error }),
        ...(contact !== '' && { contact }),
      })),
    };
  }
}
