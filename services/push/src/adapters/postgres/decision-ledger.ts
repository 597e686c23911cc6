import type { DataOf, pushContracts } from '@plexus/contracts';
import { appendOutbox, type Database, type OutboxMessage, type Tx } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { DecisionLedger, LedgerTransaction, PlacedDecision, Sighting } from '../../application/ports.js';
import type { InboxPosition } from '../../domain/inbox-item.js';
import { eventKey, type IncomingEvent } from '../../domain/incoming-event.js';

export type DeliveredFact = DataOf<typeof pushContracts.delivered>;
/** Makes the stored form of the fact `push.delivered`. */
export type EncodeDelivered = (tenant: string, fact: DeliveredFact, time: string) => OutboxMessage;

const CLAIM = `
  INSERT INTO seen_event (t, user_id, event_key, input_seq, at)
  SELECT $1, claimed.user_id, $2, $3, $4 FROM unnest($5::text[]) WITH ORDINALITY AS claimed (user_id, place) ORDER BY claimed.place
  ON CONFLICT DO NOTHING
  RETURNING user_id AS "user"`;

/** A repeat that was decided before (its decision is there) is a redelivery as well as the first sighting itself. */
const EARLIER = `
  SELECT s.user_id AS "user",
         s.input_seq = $4 OR EXISTS (
           SELECT FROM decision d WHERE d.t = s.t AND d.user_id = s.user_id AND d.event_key = s.event_key AND d.input_seq = $4
         ) AS "sameMessage"
    FROM seen_event s
   WHERE s.t = $1 AND s.event_key = $2 AND s.user_id = ANY($3::text[])`;

/** The row locks taken here, in the given order, are held until the commit: the next transaction counts on from this one's offset. */
const NEXT_POSITIONS = `
  INSERT INTO inbox_head AS head (t, user_id, epoch, head_offset)
  SELECT $1, recipient.user_id, $2, 1 FROM unnest($3::text[]) WITH ORDINALITY AS recipient (user_id, place) ORDER BY recipient.place
  ON CONFLICT (t, user_id) DO UPDATE SET head_offset = head.head_offset + 1
  RETURNING user_id AS "user", epoch, head_offset AS "offset"`;

const INSERT_ITEMS = `
  INSERT INTO inbox_item (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at)
  SELECT $1, item.user_id, item.inbox_offset, item.delivery_id, $2, $3, $4, $5::json, item.reasons::jsonb, $6
    FROM unnest($7::text[], $8::int[], $9::text[], $10::text[]) AS item (user_id, inbox_offset, delivery_id, reasons)`;

const INSERT_DECISIONS = `
  INSERT INTO decision (t, user_id, event_key, input_seq, event_origin, event_source, event_id, verdict, reason, delivery_id, trace, at)
  SELECT $1, made.user_id, $2, $3, $4, $5, $6, made.verdict, made.reason, made.delivery_id, made.trace::jsonb, $7
    FROM unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[]) AS made (user_id, verdict, reason, delivery_id, trace)`;

/** The ledger on Postgres: read committed is enough, because everything that could race is behind a unique key or a row lock. */
export class PostgresDecisionLedger implements DecisionLedger {
  constructor(
    private readonly database: Database,
    private readonly newEpoch: () => string,
    private readonly encodeDelivered: EncodeDelivered,
    private readonly afterCommit: () => void,
  ) {}

  async transaction<T>(work: (transaction: LedgerTransaction) => Promise<T>): Promise<T> {
    const result = await this.database.transaction((tx) => work(new PostgresLedgerTransaction(tx, this.newEpoch, this.encodeDelivered)));
    this.afterCommit();
    return result;
  }
}

class PostgresLedgerTransaction implements LedgerTransaction {
  constructor(
    private readonly tx: Tx,
    private readonly newEpoch: () => string,
    private readonly encodeDelivered: EncodeDelivered,
  ) {}

  async claim(event: IncomingEvent, users: readonly string[]): Promise<ReadonlyMap<string, Sighting>> {
    const key = eventKey(event);
    const claimed = await this.tx.query<{ user: string }>('push_claim_event', CLAIM, [event.tenant, key, event.inputSeq, new Date(event.receivedAt), users]);
    const sightings = new Map<string, Sighting>(claimed.map(({ user }) => [user, 'new']));
    const others = users.filter((user) => !sightings.has(user));
    if (others.length === 0) return sightings;
    const earlier = await this.tx.query<{ user: string; sameMessage: boolean }>('push_earlier_sightings', EARLIER, [event.tenant, key, others, event.inputSeq]);
    for (const { user, sameMessage } of earlier) sightings.set(user, sameMessage ? 'redelivered' : 'repeated');
    return sightings;
  }

  async nextPositions(tenant: string, users: readonly string[]): Promise<ReadonlyMap<string, InboxPosition>> {
    if (users.length === 0) return new Map();
    const rows = await this.tx.query<InboxPosition & { user: string }>('push_next_positions', NEXT_POSITIONS, [tenant, this.newEpoch(), users]);
    return new Map(rows.map(({ user, epoch, offset }) => [user, { epoch, offset }]));
  }

  async record(event: IncomingEvent, placed: readonly PlacedDecision[]): Promise<void> {
    await this.#insertItems(event, placed);
    await this.#insertDecisions(event, placed);
    await appendOutbox(
      this.tx,
      placed.flatMap(({ decision, item }) => {
        if (item === undefined) return [];
        const { offset, priority, createdAt } = item;
        const fact = { user: decision.user, deliveryId: item.id, offset, priority, events: [{ source: event.source, id: event.id }] };
        return [this.encodeDelivered(event.tenant, fact, createdAt)];
      }),
    );
  }

  async #insertItems(event: IncomingEvent, placed: readonly PlacedDecision[]): Promise<void> {
    const items = placed.flatMap(({ decision, item }) => (item === undefined ? [] : [{ user: decision.user, ...item }]));
    const [first] = items;
    if (first === undefined) return;
    // What is said about the event is the same for every recipient and travels once, however many there are.
    await this.tx.query('push_insert_items', INSERT_ITEMS, [
      event.tenant,
      first.kind,
      first.priority,
      first.title,
      JSON.stringify(first.events),
      new Date(event.receivedAt),
      items.map(({ user }) => user),
      items.map(({ offset }) => offset),
      items.map(({ id }) => id),
      items.map(({ reasons }) => JSON.stringify(reasons)),
    ]);
  }

  async #insertDecisions(event: IncomingEvent, placed: readonly PlacedDecision[]): Promise<void> {
    await this.tx.query('push_insert_decisions', INSERT_DECISIONS, [
      event.tenant,
      eventKey(event),
      event.inputSeq,
      event.origin,
      toStorableText(event.source),
      toStorableText(event.id),
      new Date(event.receivedAt),
      placed.map(({ decision }) => decision.user),
      placed.map(({ decision }) => decision.verdict),
      placed.map(({ decision }) => decision.reason),
      placed.map(({ item }) => item?.id ?? null),
      placed.map(({ decision }) => JSON.stringify(decision.trace)),
    ]);
  }
}
