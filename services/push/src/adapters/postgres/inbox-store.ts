import { appendOutbox, type Database, type OutboxMessage, type Tx } from '@plexus/database';
import type {
  InboxHead,
  InboxInput,
  InboxSelection,
  InboxStore,
  InboxTarget,
  InboxUpdate,
  InputsOf,
  Owner,
  TouchedItem,
  TouchedItems,
} from '../../application/ports.js';
import type { InboxItem, ItemState } from '../../domain/inbox-item.js';
import { changesOf, ITEM_COLUMNS, type ItemRow, stateOf, toItem } from './inbox-rows.js';

const READ_HEAD = 'SELECT user_id AS "user", epoch, head_offset AS head, min_offset AS "minOffset" FROM inbox_head WHERE t = $1 AND user_id = $2';
const CREATE_HEAD = 'INSERT INTO inbox_head (t, user_id, epoch, head_offset) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING';
const READ_HEADS = 'SELECT user_id AS "user", epoch, head_offset AS head FROM inbox_head WHERE t = $1 AND user_id = ANY($2::text[])';
const COUNT_UNREAD = 'SELECT count(*)::int AS unread FROM inbox_item WHERE t = $1 AND user_id = $2 AND read_at IS NULL';
const READ_CHANGES = `
  SELECT inbox_offset, delivery_id, seen_at, read_at, done_at, repeats, resolved_at, acked_at FROM inbox_item
   WHERE t = $1 AND user_id = $2 AND delivery_id = ANY($3::text[]) ORDER BY inbox_offset`;

const STATE = "CASE WHEN done_at IS NOT NULL THEN 'done' WHEN read_at IS NOT NULL THEN 'read' WHEN seen_at IS NOT NULL THEN 'seen' ELSE 'new' END";
const FILTER = `($5::text[] IS NULL OR ${STATE} = ANY($5)) AND ($6::text[] IS NULL OR priority = ANY($6)) AND ($7::text[] IS NULL OR kind = ANY($7))`;

/** Marking an item also marks it with every earlier state, so "not yet read" implies "not yet done". */
const MARKS: Readonly<Record<Exclude<ItemState, 'new'>, { readonly pending: string; readonly change: string }>> = {
  seen: { pending: 'read_at IS NULL AND seen_at IS NULL', change: 'seen_at = $5' },
  read: { pending: 'read_at IS NULL', change: 'seen_at = coalesce(seen_at, $5), read_at = $5' },
  done: { pending: 'done_at IS NULL', change: 'seen_at = coalesce(seen_at, $5), read_at = coalesce(read_at, $5), done_at = $5' },
};
const TOUCHED = `i.inbox_offset, i.delivery_id, i.seen_at, i.read_at, i.done_at, i.repeats, i.resolved_at, i.acked_at,
              (i.urgency = 'P0' OR i.kind = 'escalation' OR (i.urgency IS NULL AND i.priority = 'critical')) AS escalates`;

/** Locks in the order of the offsets: two calls that meet wait for each other instead of dead-locking. */
const changing = (named: string, pending: string, change: string): string => `
    WITH named AS (${named}), chosen AS (
      SELECT i.inbox_offset FROM inbox_item i JOIN named USING (inbox_offset)
       WHERE i.t = $1 AND i.user_id = $2 AND ${pending}
       ORDER BY i.inbox_offset
         FOR UPDATE OF i
    )
    UPDATE inbox_item i SET ${change} FROM chosen WHERE i.t = $1 AND i.user_id = $2 AND i.inbox_offset = chosen.inbox_offset RETURNING ${TOUCHED}`;

function markStatement(state: Exclude<ItemState, 'new'>): string {
  const { pending, change } = MARKS[state];
  const named = `
      SELECT inbox_offset FROM inbox_item WHERE t = $1 AND delivery_id = ANY($3::text[]) AND user_id = $2
       UNION
      SELECT inbox_offset FROM inbox_item WHERE t = $1 AND user_id = $2 AND inbox_offset <= $4 AND ${pending}`;
  return changing(named, pending, change);
}

/** With each item the one that it escalates, and everything that escalates the same one. */
const ACKNOWLEDGE = changing(
  `
      SELECT inbox_offset FROM inbox_item WHERE t = $1 AND user_id = $2 AND inbox_offset <= $4 AND acked_at IS NULL
       UNION
      SELECT o.inbox_offset FROM inbox_item o
        JOIN (SELECT DISTINCT coalesce(escalates, delivery_id) AS id FROM inbox_item
               WHERE t = $1 AND user_id = $2 AND (delivery_id = ANY($3::text[]) OR (inbox_offset <= $4 AND acked_at IS NULL))) root
          ON o.delivery_id = root.id OR o.escalates = root.id
       WHERE o.t = $1 AND o.user_id = $2`,
  'acked_at IS NULL',
  'seen_at = coalesce(seen_at, $5), read_at = coalesce(read_at, $5), acked_at = $5, acked_by = $2',
);

type TouchedRow = Pick<ItemRow, 'inbox_offset' | 'delivery_id' | 'seen_at' | 'read_at' | 'done_at' | 'repeats' | 'resolved_at' | 'acked_at'>;
type ChangedRow = TouchedRow & { readonly escalates: boolean };

export class PostgresInboxStore implements InboxStore {
  constructor(
    private readonly database: Database,
    private readonly encode: (owner: Owner, input: InboxInput) => OutboxMessage[],
    /** Called after a commit that left something in the outbox. */
    private readonly afterCommit: () => void,
  ) {}

  async openHead({ tenant, user }: Owner, epoch: string): Promise<InboxHead & { readonly minOffset: number }> {
    const read = () => this.database.query<InboxHead & { readonly minOffset: number }>('push_read_head', READ_HEAD, [tenant, user]);
    const [known] = await read();
    if (known !== undefined) return known;
    await this.database.query('push_create_head', CREATE_HEAD, [tenant, user, epoch]);
    const [created] = await read();
    if (created === undefined) throw new Error('an inbox head vanished right after it was created');
    return created;
  }

  async heads(tenant: string, users: readonly string[]): Promise<InboxHead[]> {
    return this.database.query<InboxHead>('push_read_heads', READ_HEADS, [tenant, users]);
  }

  async unread({ tenant, user }: Owner): Promise<number> {
    const [row] = await this.database.query<{ unread: number }>('push_count_unread', COUNT_UNREAD, [tenant, user]);
    return row?.unread ?? 0;
  }

  async page({ tenant, user }: Owner, { after, before, limit, states, priorities, kinds }: InboxSelection): Promise<InboxItem[]> {
    const isForward = after !== undefined;
    // What is unread has an index of its own, which is small however long the inbox is.
    const isUnread = states !== undefined && states.length > 0 && states.every((state) => state === 'new' || state === 'seen');
    const name = `push_page_${isForward ? 'forward' : 'newest'}${isUnread ? '_unread' : ''}`;
    const where = `t = $1 AND user_id = $2 AND inbox_offset ${isForward ? '>' : '<'} $3 AND ${FILTER}${isUnread ? ' AND read_at IS NULL' : ''}`;
    const text = `SELECT ${ITEM_COLUMNS} FROM inbox_item WHERE ${where} ORDER BY inbox_offset ${isForward ? 'ASC' : 'DESC'} LIMIT $4`;
    const bound = Math.min(after ?? before ?? MAX_OFFSET, MAX_OFFSET);
    const rows = await this.database.query<ItemRow>(name, text, [tenant, user, bound, limit, states ?? null, priorities ?? null, kinds ?? null]);
    return rows.map(toItem);
  }

  async mark(owner: Owner, target: InboxTarget, state: Exclude<ItemState, 'new'>, at: Date, inputs: InputsOf): Promise<TouchedItems> {
    return this.#change(owner, inputs, async (tx) => {
      const marked = await tx.query<ChangedRow>(`push_mark_${state}`, markStatement(state), parametersOf(owner, target, at));
      if (state !== 'done' || marked.length === 0) return { marked, acknowledged: [] };
      const done = { ids: marked.map((row) => row.delivery_id), upTo: 0 };
      return { marked, acknowledged: await tx.query<ChangedRow>('push_acknowledge', ACKNOWLEDGE, parametersOf(owner, done, at)) };
    });
  }

  async acknowledge(owner: Owner, target: InboxTarget, at: Date, inputs: InputsOf): Promise<TouchedItems> {
    return this.#change(owner, inputs, async (tx) => ({
      marked: [],
      acknowledged: await tx.query<ChangedRow>('push_acknowledge', ACKNOWLEDGE, parametersOf(owner, target, at)),
    }));
  }

  async changesOf(owner: Owner, ids: readonly string[]): Promise<InboxUpdate> {
    const { tenant, user } = owner;
    const [rows, unread, [head]] = await Promise.all([
      this.database.query<TouchedRow>('push_read_changes', READ_CHANGES, [tenant, user, ids]),
      this.unread(owner),
      this.database.query<InboxHead>('push_read_head', READ_HEAD, [tenant, user]),
    ]);
    return { epoch: head?.epoch ?? '', unread, changes: rows.map(changeOf) };
  }

  /** The change and what the log is told about it, or neither. */
  async #change(
    owner: Owner,
    inputs: InputsOf,
    work: (tx: Tx) => Promise<{ readonly marked: readonly ChangedRow[]; readonly acknowledged: readonly ChangedRow[] }>,
  ): Promise<TouchedItems> {
    const { touched, told } = await this.database.transaction(async (tx) => {
      const { marked, acknowledged } = await work(tx);
      const touched = { marked: marked.map(touchedOf), acknowledged: acknowledged.map(touchedOf) };
      const messages = inputs(touched).flatMap((input) => this.encode(owner, input));
      await appendOutbox(tx, messages);
      return { touched, told: messages.length > 0 };
    });
    if (told) this.afterCommit();
    return touched;
  }
}

/** Largest value of the column; callers may name any offset. */
const MAX_OFFSET = 2_147_483_647;

function parametersOf({ tenant, user }: Owner, { ids, upTo }: InboxTarget, at: Date): unknown[] {
  return [tenant, user, ids, Math.min(upTo, MAX_OFFSET), at];
}

function changeOf(row: TouchedRow): InboxUpdate['changes'][number] {
  return { offset: row.inbox_offset, id: row.delivery_id, state: stateOf(row), ...changesOf(row) };
}

function touchedOf(row: ChangedRow): TouchedItem {
  return { ...changeOf(row), escalates: row.escalates };
}
