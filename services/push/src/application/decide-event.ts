import { type Decision, decide, type ReasonCode } from '../domain/decide.js';
import { deliveryId, describeEvent, type InboxItem, type InboxPosition } from '../domain/inbox-item.js';
import type { IncomingEvent } from '../domain/incoming-event.js';
import { type Candidate, match } from '../domain/match.js';
import type { DecisionLedger, InboxHints, LedgerTransaction, PlacedDecision, SubscriptionIndex } from './ports.js';

interface Delivery extends PlacedDecision {
  readonly item: InboxItem;
  readonly position: InboxPosition;
}

/**
 * From one event to its decisions: match, then everything about it in one transaction, then the hints.
 *
 * Safe to repeat at any point: what was committed is found again by the identity of the event and not done twice. A crash between
 * the commit and the hints costs the hint only.
 */
export class DecideEvent {
  constructor(
    private readonly subscriptions: SubscriptionIndex,
    private readonly ledger: DecisionLedger,
    private readonly hints: InboxHints,
  ) {}

  /** Returns the reasons of the decisions made now: none when nobody is concerned or this message was decided before. */
  async execute(event: IncomingEvent): Promise<ReasonCode[]> {
    const candidates = match(event, await this.subscriptions.candidatesFor(event));
    if (candidates.length === 0) return [];
    const { decisions, deliveries } = await this.ledger.transaction((transaction) => this.#decideAll(transaction, event, candidates));
    for (const { decision, position, item } of deliveries) this.hints.itemAdded(event.tenant, decision.user, position, item);
    return decisions.map(({ reason }) => reason);
  }

  async #decideAll(
    transaction: LedgerTransaction,
    event: IncomingEvent,
    candidates: readonly Candidate[],
  ): Promise<{ decisions: Decision[]; deliveries: Delivery[] }> {
    const sightings = await transaction.claim(
      event,
      candidates.map(({ user }) => user),
    );
    const decisions = candidates
      .filter(({ user }) => sightings.get(user) !== 'redelivered')
      .map((candidate) => decide(candidate, event, { seen: sightings.get(candidate.user) === 'repeated' }));
    if (decisions.length === 0) return { decisions, deliveries: [] };

    const recipients = decisions.filter(({ verdict }) => verdict === 'sent').map(({ user }) => user);
    const positions = await transaction.nextPositions(event.tenant, recipients);
    const placed = decisions.map((decision) => place(event, decision, positions.get(decision.user)));
    await transaction.record(event, placed);
    return { decisions, deliveries: placed.filter(isDelivery) };
  }
}

function place(event: IncomingEvent, decision: Decision, position: InboxPosition | undefined): PlacedDecision | Delivery {
  if (decision.verdict !== 'sent') return { decision };
  if (position === undefined) throw new Error('the ledger gave a recipient no position');
  const item: InboxItem = {
    ...describeEvent(event),
    offset: position.offset,
    id: deliveryId(event.tenant, decision.user, position),
    reasons: decision.reasons.map(({ id }) => ({ subscriptionId: id, method: 'rule' })),
    state: 'new',
    createdAt: new Date(event.receivedAt).toISOString(),
  };
  return { decision, item, position };
}

function isDelivery(placed: PlacedDecision | Delivery): placed is Delivery {
  return 'position' in placed;
}
