import type { DataOf, pushContracts, pushDeliveryContracts } from '@plexus/contracts';
import { appendOutbox, type Database, errorCodeOf, type OutboxMessage, type Tx } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { CommitResult, DecidedBatch, DecidingStore, MadeItem, StoredUser, UserRef } from '../../application/deciding-ports.js';
import type { SharedState, UserState } from '../../domain/engine/types.js';
import type { InboxItem } from '../../domain/inbox-item.js';
import * as sql from './deciding-statements.js';

export type DeliveredFact = DataOf<typeof pushContracts.delivered>;
export type DeliverCommand = DataOf<typeof pushDeliveryContracts.deliverCommand>;

/** Makes the stored forms of what is published about decisions. */
export interface DecisionMessages {
  delivered(tenant: string, fact: DeliveredFact, time: string): OutboxMessage;
  deliver(tenant: string, command: DeliverCommand): OutboxMessage;
}

/** A fact must fit one message, however many events a digest has. */
const MAX_FACT_EVENTS = 500;

interface UserRow {
  readonly rev: number | null;
  readonly state: UserState | null;
  readonly epoch: string | null;
  readonly head: number | null;
}

/** Rolls the transaction back and carries the reason out of it. */
class NotCommitted extends Error {
  constructor(readonly result: CommitResult) {
    super('not committed');
  }
}

/** What deciding reads and writes, on Postgres. Read committed is enough: the fence and the revisions are compared under row locks. */
export class PostgresDecidingStore implements DecidingStore {
  constructor(
    private readonly database: Database,
    private readonly messages: DecisionMessages,
  ) {}

  async loadUsers(users: readonly UserRef[], newEpoch: () => string): Promise<StoredUser[]> {
    const read = (refs: readonly UserRef[]) => this.database.query<UserRow>('push_load_users', sql.LOAD_USERS, columnsOf(refs));
    const rows = await read(users);
    const without = users.filter((_, index) => rows[index]?.epoch === null);
    if (without.length > 0) {
      await this.database.query('push_open_heads', sql.OPEN_HEADS, [...columnsOf(without), without.map(() => newEpoch())]);
      const opened = await read(without);
      let next = 0;
      for (const [index, row] of rows.entries()) if (row.epoch === null) rows[index] = opened[next++] as UserRow;
    }
    return rows.map(toStoredUser);
  }

  async loadShared(wanted: readonly { readonly part: number; readonly tenant: string }[]): Promise<(SharedState | undefined)[]> {
    const rows = await this.database.query<{ state: SharedState | null }>('push_load_shared', sql.LOAD_SHARED, [
      wanted.map(({ part }) => part),
      wanted.map(({ tenant }) => tenant),
    ]);
    return rows.map(({ state }) => state ?? undefined);
  }

  async seen(wanted: readonly (UserRef & { readonly eventKey: string })[]): Promise<boolean[]> {
    const rows = await this.database.query<{ seen: boolean }>('push_seen', sql.SEEN, [...columnsOf(wanted), wanted.map(({ eventKey }) => eventKey)]);
    return rows.map(({ seen }) => seen);
  }

  async loadItems(wanted: readonly (UserRef & { readonly deliveryId: string })[]): Promise<Map<string, InboxItem>> {
    const rows = await this.database.query<ItemRow>('push_load_items', sql.LOAD_ITEMS, [...columnsOf(wanted), wanted.map(({ deliveryId }) => deliveryId)]);
    return new Map(rows.map((row) => [row.delivery_id, toItem(row)]));
  }

  async commit(batch: DecidedBatch): Promise<CommitResult> {
    try {
      const outbox = this.#outboxOf(batch);
      await this.database.transaction(async (tx) => {
        // Sent together where the connection can: each of them waits for the one before at the server, not here.
        const steps = [
          moveCursors(tx, batch),
          saveUsers(tx, batch),
          saveInbox(tx, batch),
          saveDecisions(tx, batch),
          saveTimers(tx, batch),
          saveShared(tx, batch),
        ];
        await allOrFirstFailure([...steps, appendOutbox(tx, outbox)]);
      });
      return { kind: 'committed' };
    } catch (error) {
      if (error instanceof NotCommitted) return error.result;
      throw error;
    }
  }

  #outboxOf({ items, channels }: DecidedBatch): OutboxMessage[] {
    const facts = items.map(({ tenant, user, item, send }) => {
      const events = send.events.slice(0, MAX_FACT_EVENTS).map(({ source, id }) => ({ source, id }));
      return this.messages.delivered(tenant, { user, deliveryId: item.id, offset: item.offset, priority: item.priority, events }, item.createdAt);
    });
    const commands = channels.map(({ tenant, user, channel: { deliveryId, channel, level, priority, at }, item }) =>
      this.messages.deliver(tenant, { user, deliveryId, channel, level, priority, item, decidedAt: new Date(at).toISOString() }),
    );
    return [...facts, ...commands];
  }
}

/** What the server says of statements behind one that failed. */
const ABORTED = '25P02';

/** Waits for all, so that nothing is still under way when the transaction ends. Fails with the reason, not with its consequences. */
async function allOrFirstFailure(steps: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(steps)).flatMap((step) => (step.status === 'rejected' ? [step.reason as unknown] : []));
  if (failures.length === 0) return;
  throw failures.find((failure) => failure instanceof NotCommitted) ?? failures.find((failure) => errorCodeOf(failure) !== ABORTED) ?? failures[0];
}

async function moveCursors(tx: Tx, { cursors }: DecidedBatch): Promise<void> {
  const moved = await tx.query<{ part: number }>('push_move_cursors', sql.MOVE_CURSORS, [
    cursors.map(({ partition }) => partition.part),
    cursors.map(({ partition }) => partition.fence),
    cursors.map(({ partition }) => partition.cursor),
    cursors.map(({ next }) => next),
  ]);
  if (moved.length === cursors.length) return;
  const ours = new Set(moved.map(({ part }) => part));
  throw new NotCommitted({ kind: 'lost', parts: cursors.map(({ partition }) => partition.part).filter((part) => !ours.has(part)) });
}

/** Rows of users are written in one order, so that two batches that meet (one of them under a lost fence) wait for each other instead of dead-locking. */
async function saveUsers(tx: Tx, { users }: DecidedBatch): Promise<void> {
  const ordered = inOrder(users);
  const known = ordered.filter(({ before }) => before.rev > 0);
  const fresh = ordered.filter(({ before }) => before.rev === 0);
  let written = 0;
  if (known.length > 0) {
    const rows = await tx.query('push_update_users', sql.UPDATE_USERS, [
      ...columnsOf(known),
      known.map(({ before }) => before.rev),
      known.map(({ state }) => JSON.stringify(state)),
    ]);
    written += rows.length;
  }
  if (fresh.length > 0) {
    const rows = await tx.query('push_insert_users', sql.INSERT_USERS, [
      ...columnsOf(fresh),
      fresh.map(({ part }) => part),
      fresh.map(({ state }) => JSON.stringify(state)),
    ]);
    written += rows.length;
  }
  if (written !== users.length) throw new NotCommitted({ kind: 'stale' });
}

async function saveInbox(tx: Tx, { users, items, edits }: DecidedBatch): Promise<void> {
  const moved = inOrder(users).filter(({ before, state }) => state.head !== before.head);
  if (moved.length > 0) {
    const rows = await tx.query('push_move_heads', sql.MOVE_HEADS, [
      ...columnsOf(moved),
      moved.map(({ state }) => state.epoch),
      moved.map(({ before }) => before.head),
      moved.map(({ state }) => state.head),
    ]);
    if (rows.length !== moved.length) throw new NotCommitted({ kind: 'stale' });
  }
  if (items.length > 0) await tx.query('push_insert_items', sql.INSERT_ITEMS, itemColumns(items));
  if (edits.length === 0) return;
  // Of several edits of one item the last one says how it is now.
  const last = [...new Map(edits.map((one) => [`${one.tenant}\n${one.edit.deliveryId}`, one])).values()];
  await tx.query('push_edit_items', sql.EDIT_ITEMS, [
    ...columnsOf(last),
    last.map(({ edit }) => edit.deliveryId),
    last.map(({ edit }) => edit.repeats ?? null),
    last.map(({ edit }) => dateOf(edit.resolvedAt)),
    last.map(({ edit }) => new Date(edit.at)),
  ]);
}

function itemColumns(items: readonly MadeItem[]): unknown[] {
  return [
    ...columnsOf(items),
    items.map(({ item }) => item.offset),
    items.map(({ item }) => item.id),
    items.map(({ item }) => item.kind),
    items.map(({ item }) => item.priority),
    items.map(({ item }) => item.title),
    items.map(({ item }) => JSON.stringify(item.events)),
    items.map(({ item }) => storableJson(item.reasons)),
    items.map(({ item }) => new Date(item.createdAt)),
    items.map(({ send }) => send.priority),
    items.map(({ send }) => send.interrupt),
    items.map(({ send }) => send.escalates?.deliveryId ?? null),
    items.map(({ send }) => dateOf(expiryOf(send))),
  ];
}

async function saveDecisions(tx: Tx, { seen, decisions }: DecidedBatch): Promise<void> {
  if (seen.length > 0) {
    await tx.query('push_insert_seen', sql.INSERT_SEEN, [
      ...columnsOf(seen),
      seen.map(({ eventKey }) => eventKey),
      seen.map(({ inputSeq }) => inputSeq),
      seen.map(({ at }) => new Date(at)),
    ]);
  }
  if (decisions.length === 0) return;
  await tx.query('push_insert_decisions', sql.INSERT_DECISIONS, [
    ...columnsOf(decisions),
    decisions.map(({ decision }) => toStorableText(decision.eventKey)),
    decisions.map(({ decision }) => decision.inputSeq),
    decisions.map(({ decision }) => decision.event.origin),
    decisions.map(({ decision }) => toStorableText(decision.event.source)),
    decisions.map(({ decision }) => toStorableText(decision.event.id)),
    decisions.map(({ decision }) => toStorableText(decision.event.type)),
    decisions.map(({ decision }) => decision.verdict),
    decisions.map(({ decision }) => decision.reason),
    decisions.map(({ decision }) => decision.terminal),
    decisions.map(({ decision }) => decision.deliveryId ?? null),
    decisions.map(({ decision }) => decision.policyVersion),
    decisions.map(({ decision }) => storableJson(decision.trace)),
    decisions.map(({ decision }) => new Date(decision.at)),
    decisions.map(({ decision }) => dateOf(decision.until)),
  ]);
}

async function saveTimers(tx: Tx, { timers }: DecidedBatch): Promise<void> {
  const set = timers.filter(({ change }) => change === 'set');
  const ended = timers.filter(({ change }) => change !== 'set');
  const key = (rows: typeof timers) => [...columnsOf(rows), rows.map(({ timerId }) => timerId)];
  if (set.length > 0) {
    await tx.query('push_set_timers', sql.SET_TIMERS, [...key(set), set.map(({ part }) => part), set.map(({ dueAt }) => new Date(dueAt))]);
  }
  if (ended.length > 0) {
    const moments = ended.map(({ change, dueAt }) => (change === 'consumed' ? new Date(dueAt) : null));
    await tx.query('push_end_timers', sql.END_TIMERS, [...key(ended), moments]);
  }
}

async function saveShared(tx: Tx, { shared }: DecidedBatch): Promise<void> {
  if (shared.length === 0) return;
  await tx.query('push_save_shared', sql.SAVE_SHARED, [
    shared.map(({ part }) => part),
    shared.map(({ tenant }) => tenant),
    shared.map(({ state }) => JSON.stringify(state)),
  ]);
}

function columnsOf(refs: readonly UserRef[]): [string[], string[]] {
  return [refs.map(({ tenant }) => tenant), refs.map(({ user }) => user)];
}

function inOrder<T extends UserRef>(refs: readonly T[]): T[] {
  return [...refs].sort((a, b) => compare(a.tenant, b.tenant) || compare(a.user, b.user));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Foreign text may hold what jsonb refuses. */
function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? toStorableText(part) : part));
}

/** When the last of its events expires; undefined while one of them does not. */
function expiryOf({ events }: MadeItem['send']): number | undefined {
  const moments = events.flatMap(({ expiresAt }) => expiresAt ?? []);
  return moments.length === events.length && moments.length > 0 ? Math.max(...moments) : undefined;
}

function dateOf(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms);
}

function toStoredUser({ rev, state, epoch, head }: UserRow): StoredUser {
  if (epoch === null || head === null) throw new Error('an inbox head vanished right after it was opened');
  return state === null ? { rev: 0, epoch, head } : { rev: Number(rev), state, epoch, head };
}

interface ItemRow {
  readonly delivery_id: string;
  readonly inbox_offset: number;
  readonly kind: string;
  readonly priority: InboxItem['priority'];
  readonly title: string;
  readonly events: InboxItem['events'];
  readonly reasons: InboxItem['reasons'];
  readonly created_at: Date;
  readonly seen_at: Date | null;
  readonly read_at: Date | null;
  readonly done_at: Date | null;
  readonly urgency: InboxItem['urgency'] | null;
  readonly interrupt: boolean;
}

function toItem(row: ItemRow): InboxItem {
  return {
    offset: row.inbox_offset,
    id: row.delivery_id,
    kind: row.kind,
    priority: row.priority,
    title: row.title,
    events: row.events,
    reasons: row.reasons,
    state: row.done_at !== null ? 'done' : row.read_at !== null ? 'read' : row.seen_at !== null ? 'seen' : 'new',
    createdAt: row.created_at.toISOString(),
    ...(row.urgency === null ? {} : { urgency: row.urgency }),
    interrupt: row.interrupt,
  };
}
