import type { DataOf, pushContracts, pushDeliveryContracts } from '@plexus/contracts';
import { type Database, type OutboxMessage, outboxParameters, type Statement } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { CommitResult, DecidedBatch, DecidingStore, MadeItem, StoredUser, UserRef } from '../../application/deciding-ports.js';
import type { SharedState, UserState } from '../../domain/engine/types.js';
import { identitiesOf, type InboxItem, scopesOf } from '../../domain/inbox-item.js';
import { COMMIT, MOVE_CURSORS } from './commit-statement.js';
import * as sql from './deciding-statements.js';
import type { ItemRow } from './inbox-rows.js';

export type DeliveredFact = DataOf<typeof pushContracts.delivered>;
export type DeliverCommand = DataOf<typeof pushDeliveryContracts.deliverCommand>;

/** Makes the stored forms of what is published about decisions. */
export interface DecisionMessages {
  delivered(tenant: string, fact: DeliveredFact, time: string): OutboxMessage;
  deliver(tenant: string, command: DeliverCommand): OutboxMessage;
}

interface UserRow {
  readonly rev: number | null;
  readonly state: UserState | null;
  readonly epoch: string | null;
  readonly head: number | null;
}

/** What deciding reads and writes, on Postgres. */
export class PostgresDecidingStore implements DecidingStore {
  constructor(
    private readonly database: Pick<Database, 'query' | 'batch'>,
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
    const rows = await this.database.query<SentRow>('push_load_items', sql.LOAD_ITEMS, [...columnsOf(wanted), wanted.map(({ deliveryId }) => deliveryId)]);
    return new Map(rows.map((row) => [row.delivery_id, toItem(row)]));
  }

  async commit(batch: DecidedBatch): Promise<CommitResult> {
    try {
      await this.database.batch([saveDecided(batch, this.#outboxOf(batch)), ...saveEdits(batch), ...saveTimers(batch), ...saveShared(batch)]);
      return { kind: 'committed' };
    } catch (error) {
      const refusal = sql.refusalOf(error);
      if (refusal === undefined) throw error;
      return refusal === 'lost' ? { kind: 'lost', parts: await this.#lostOf(batch) } : { kind: refusal };
    }
  }

  async #lostOf({ cursors }: DecidedBatch): Promise<number[]> {
    const rows = await this.database.query<{ part: number }>('push_still_ours', sql.STILL_OURS, cursorColumns(cursors));
    const ours = new Set(rows.map(({ part }) => part));
    return cursors.map(({ partition }) => partition.part).filter((part) => !ours.has(part));
  }

  #outboxOf({ items, channels }: DecidedBatch): OutboxMessage[] {
    const facts = items.map(({ tenant, user, item, send }) => {
      return this.messages.delivered(
        tenant,
        { user, deliveryId: item.id, offset: item.offset, priority: item.priority, events: identitiesOf(send.events) },
        item.createdAt,
      );
    });
    const commands = channels.map(({ tenant, user, channel: { deliveryId, channel, level, priority, at }, item }) =>
      this.messages.deliver(tenant, { user, deliveryId, channel, level, priority, item, decidedAt: new Date(at).toISOString() }),
    );
    return [...facts, ...commands];
  }
}

/** Cursors, and what the inputs changed. Of a batch without inputs of users only the cursors. */
function saveDecided(batch: DecidedBatch, outbox: readonly OutboxMessage[]): Statement {
  const cursors = [...cursorColumns(batch.cursors), batch.cursors.map(({ next }) => next)];
  if (batch.users.length === 0) return { name: 'push_move_cursors', text: MOVE_CURSORS, params: cursors };
  const noted = outboxParameters(outbox.map((message) => ({ ...message, about: '' })));
  const params = [...cursors, ...userColumns(batch), ...seenColumns(batch), ...itemColumns(batch.items), ...decisionColumns(batch), ...noted];
  return { name: 'push_commit', text: COMMIT, params };
}

function cursorColumns(cursors: DecidedBatch['cursors']): [number[], number[], number[]] {
  const parts = cursors.map(({ partition }) => partition);
  return [parts.map(({ part }) => part), parts.map(({ fence }) => fence), parts.map(({ cursor }) => cursor)];
}

/** Rows of users are written in one order, so that two batches that meet (one of them under a lost fence) wait for each other instead of dead-locking. */
function userColumns({ users }: DecidedBatch): unknown[] {
  const ordered = inOrder(users);
  const known = ordered.filter(({ before }) => before.rev > 0);
  const fresh = ordered.filter(({ before }) => before.rev === 0);
  const moved = ordered.filter(({ before, state }) => state.head !== before.head);
  return [
    ...columnsOf(known),
    known.map(({ before }) => before.rev),
    known.map(({ state }) => JSON.stringify(state)),
    ...columnsOf(fresh),
    fresh.map(({ part }) => part),
    fresh.map(({ state }) => JSON.stringify(state)),
    ...columnsOf(moved),
    moved.map(({ state }) => state.epoch),
    moved.map(({ before }) => before.head),
    moved.map(({ state }) => state.head),
  ];
}

function saveEdits({ edits }: DecidedBatch): Statement[] {
  // Of several edits of one item the last one says how it is now.
  const last = [...new Map(edits.map((one) => [`${one.tenant}\n${one.edit.deliveryId}`, one])).values()];
  return statement('push_edit_items', sql.EDIT_ITEMS, last, () => [
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
    items.map(({ item, send }) => scopesJson(scopesOf(item, send))),
  ];
}

function seenColumns({ seen }: DecidedBatch): unknown[] {
  return [...columnsOf(seen), seen.map(({ eventKey }) => eventKey), seen.map(({ inputSeq }) => inputSeq), seen.map(({ at }) => new Date(at))];
}

function decisionColumns({ decisions }: DecidedBatch): unknown[] {
  return [
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
  ];
}

function saveTimers({ timers }: DecidedBatch): Statement[] {
  const set = timers.filter(({ change }) => change === 'set');
  const ended = timers.filter(({ change }) => change !== 'set');
  const key = (rows: typeof timers) => [...columnsOf(rows), rows.map(({ timerId }) => timerId)];
  const moments = ended.map(({ change, dueAt }) => (change === 'consumed' ? new Date(dueAt) : null));
  return [
    ...statement('push_set_timers', sql.SET_TIMERS, set, () => [...key(set), set.map(({ part }) => part), set.map(({ dueAt }) => new Date(dueAt))]),
    ...statement('push_end_timers', sql.END_TIMERS, ended, () => [...key(ended), moments]),
  ];
}

function saveShared({ shared }: DecidedBatch): Statement[] {
  return statement('push_save_shared', sql.SAVE_SHARED, shared, () => [
    shared.map(({ part }) => part),
    shared.map(({ tenant }) => tenant),
    shared.map(({ state }) => JSON.stringify(state)),
  ]);
}

/** Nothing to write costs no statement. */
function statement(name: string, text: string, rows: readonly unknown[], params: () => unknown[]): Statement[] {
  return rows.length === 0 ? [] : [{ name, text, params: params() }];
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

function scopesJson(scopes: string[][] | undefined): string | null {
  return scopes === undefined ? null : storableJson(scopes);
}

/** What jsonb refuses stands escaped in JSON: NUL, and halves of surrogate pairs. */
const REFUSED = /\\u(?:0000|d[89a-f])/;

/** Foreign text may hold what jsonb refuses; looking into every value costs more than the rest, so only JSON that may hold such a thing is made again. */
function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!REFUSED.test(json)) return json;
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

/** What an item has the moment it is sent; what became of it since is none of the decider's. */
type SentRow = Omit<ItemRow, 'repeats' | 'resolved_at' | 'acked_at' | 'acked_by' | 'escalates'>;

function toItem(row: SentRow): InboxItem {
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
