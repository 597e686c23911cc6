import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, NO_TENANT, type ParsedSubject } from '@plexus/contracts';
import { AccessEvents } from '../../application/matching-hooks.js';
import { MatchEvent } from '../../application/match-event.js';
import { type IncomingEvent, readIncomingEvent } from '../../domain/incoming-event.js';
import { InOrder } from './in-order.js';
import { Patience } from './patience.js';

/** A message is held this long while the database or the log is away; then one of its deliveries is used up, and at the last one it is parked. */
const LONGEST_OUTAGE_MS = 60 * 60_000;

/** Many are held at a time, so that those of a tenant who sends few are among them; how much is done at once is up to the turns of the tenants. */
const FOREIGN = { concurrency: 256, maxMessages: 512, handlerTimeoutMs: LONGEST_OUTAGE_MS };
const OWN = { concurrency: 16, handlerTimeoutMs: LONGEST_OUTAGE_MS };

/** Events of others and facts of the mesh; never session events (every word of an answer), never push's own facts. */
@Controller()
export class EventsController {
  private readonly inOrder = new InOrder();

  constructor(
    private readonly matchEvent: MatchEvent,
    private readonly patience: Patience,
    private readonly access: AccessEvents,
  ) {}

  @Consume(CONSUMERS.pushIn, FOREIGN)
  onEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.take(delivery);
  }

  @Consume(CONSUMERS.pushVmEvents, OWN)
  onVmEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.take(delivery);
  }

  @Consume(CONSUMERS.pushRoutingEvents, OWN)
  onRoutingEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.take(delivery);
  }

  @Consume(CONSUMERS.pushMemoryEvents, OWN)
  onMemoryEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.take(delivery);
  }

  @Consume(CONSUMERS.pushConfigEvents, OWN)
  onConfigEvent(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.take(delivery);
  }

  /** The bus has parked whatever is no CloudEvent or claims another tenant. Done means: every candidate is in the log, or nobody is concerned. */
  private async take(delivery: Delivery): Promise<Outcome> {
    const { event, parsed, tenant } = delivery;
    if (event === undefined || parsed === undefined) return { kind: 'park', code: 'INVALID_EVENT', reason: 'not an event on a subject of ours' };
    // Facts about the platform concern nobody's inbox.
    if (tenant === NO_TENANT) return { kind: 'done' };
    // No source token holds a dot, so nobody outside can speak as the mesh.
    const origin = parsed.kind === 'in' ? parsed.domain : `plexus.${parsed.domain}`;
    const incoming = readIncomingEvent(event, { tenant, origin, key: delivery.key, inputSeq: delivery.seq, receivedAt: delivery.time });
    const work = () => this.patience.whileUnavailable(() => this.match(incoming, delivery, parsed), delivery.signal);
    const outcome = await this.inOrder.run(orderOf(incoming), work);
    return outcome === 'gave-up' ? { kind: 'retry', afterMs: 500, reason: 'stopping while the database or the log is unavailable' } : { kind: 'done' };
  }

  private async match(incoming: IncomingEvent, { seq, time }: Delivery, { kind, name }: ParsedSubject): Promise<'done'> {
    if (kind === 'in' && this.access.concerns(name)) {
      const { tenant, origin, source, id, data } = incoming;
      await this.access.execute({ tenant, origin, source, id, name, data, at: time, seq });
    }
    await this.matchEvent.execute(incoming);
    return 'done';
  }
}

/** Events that speak of one trouble keep their order: `resolved` must not overtake `firing`. */
function orderOf({ tenant, origin, source, dedupKey, state, subject }: IncomingEvent): string | undefined {
  if (dedupKey === undefined && state === undefined) return undefined;
  return JSON.stringify([tenant, origin, dedupKey ?? [source, subject]]);
}
