import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS } from '@plexus/contracts';
import { counter } from '@plexus/telemetry';
import { DecideEvent } from '../../application/decide-event.js';
import type { ReasonCode } from '../../domain/decide.js';
import { readIncomingEvent } from '../../domain/incoming-event.js';
import { Patience } from './patience.js';

const decisions = counter('pushDecisions');

/** How the reasons are counted: a small fixed vocabulary, whatever reasons there will be. */
const ACTIONS: Readonly<Record<ReasonCode, 'deliver' | 'suppress' | 'duplicate'>> = {
  sent: 'deliver',
  duplicate_event: 'duplicate',
  expired: 'suppress',
  muted: 'suppress',
  opted_out: 'suppress',
};

/** A message is held this long while the database is away; then one of its deliveries is used up, and at the last one it is parked. */
const LONGEST_OUTAGE_MS = 60 * 60_000;

@Controller()
export class EventsController {
  constructor(
    private readonly decideEvent: DecideEvent,
    private readonly patience: Patience,
  ) {}

  /** The bus has parked whatever is no CloudEvent or claims another tenant. Done means: committed, or nobody's business. */
  @Consume(CONSUMERS.pushIn, { concurrency: 16, handlerTimeoutMs: LONGEST_OUTAGE_MS })
  async onEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    const { event, parsed, tenant } = delivery;
    if (event === undefined || parsed === undefined) return { kind: 'park', code: 'INVALID_EVENT', reason: 'not an event on a subject of ours' };
    const arrival = { tenant, origin: parsed.domain, key: delivery.key, inputSeq: delivery.seq, receivedAt: delivery.time };
    const incoming = readIncomingEvent(event, arrival);
    const reasons = await this.patience.whileUnavailable(() => this.decideEvent.execute(incoming), delivery.signal);
    if (reasons === 'gave-up') return { kind: 'retry', afterMs: 500, reason: 'stopping while the database is unavailable' };
    for (const reason of reasons) decisions.add(1, { action: ACTIONS[reason] });
    return { kind: 'done' };
  }
}
