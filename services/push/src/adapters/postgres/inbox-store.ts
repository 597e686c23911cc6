import type { Database } from '@plexus/database';
import type { InboxHead, InboxStore, Owner } from '../../application/ports.js';
import type { InboxItem, ItemState } from '../../domain/inbox-item.js';

const READ_HEAD = 'SELECT user_id AS "user", epoch, head_offset AS head FROM inbox_head WHERE t = $1 AND user_id = $2';
const CREATE_HEAD = 'INSERT INTO inbox_head (t, user_id, epoch, head_offset) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING';
const READ_HEADS = 'SELECT user_id AS "user", epoch, head_offset AS head FROM inbox_head WHERE t = $1 AND user_id = ANY($2::text[])';
const COUNT_UNREAD = 'SELECT count(*)::int AS unread FROM inbox_item WHERE t = $1 AND user_id = $2 AND read_at IS NULL';

const COLUMNS = 'inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, seen_at, read_at, done_at';
const READ_FORWARD = `SELECT ${COLUMNS} FROM inbox_item WHERE t = $1 AND user_id = $2 AND inbox_offset > $3 ORDER BY inbox_offset LIMIT $4`;
const READ_NEWEST = `SELECT ${COLUMNS} FROM inbox_item WHERE t = $1 AND user_id = $2 ORDER BY inbox_offset DESC LIMIT $3`;

/** Marking an item also marks it with every earlier state, so "not yet read" implies "not yet done". */
const MARKS: Readonly<Record<Exclude<ItemState, 'new'>, { readonly pending: string; readonly change: string }>> = {
  seen: { pending: 'read_at IS NULL AND seen_at IS NULL', change: 'seen_at = $5' },
  read: { pending: 'read_at IS NULL', change: 'seen_at = coalesce(seen_at, $5), read_at = $5' },
  done: { pending: 'done_at IS NULL', change: 'seen_at = coalesce(seen_at, $5), read_at = coalesce(read_at, $5), done_at = $5' },
};

function markStatement(state: Exclude<ItemState, 'new'>): string {
  const { pending, change } = MARKS[state];
  return `
    WITH named AS (
      SELECT inbox_offset FROM inbox_item WHERE t = $1 AND delivery_id = ANY($3::text[]) AND user_id = $2
       UNION
      SELECT inbox_offset FROM inbox_item WHERE t = $1 AND user_id = $2 AND inbox_offset <= $4 AND ${pending}
    ), chosen AS (
      SELECT i.inbox_offset FROM inbox_item i JOIN named USING (inbox_offset)
       WHERE i.t = $1 AND i.user_id = $2 AND ${pending}
       ORDER BY i.inbox_offset
         FOR UPDATE OF i
    ), changed AS (
      UPDATE inbox_item i SET ${change} FROM chosen WHERE i.t = $1 AND i.user_id = $2 AND i.inbox_offset = chosen.inbox_offset RETURNING 1
    )
    SELECT count(*)::int AS changed FROM changed`;
}

interface ItemRow {
  readonly inbox_offset: number;
  readonly delivery_id: string;
  readonly kind: string;
  readonly priority: InboxItem['priority'];
  readonly title: string;
  readonly events: InboxItem['events'];
  readonly reasons: InboxItem['reasons'];
  readonly created_at: Date;
  readonly seen_at: Date | null;
  readonly read_at: Date | null;
  readonly done_at: Date | null;
}

export class PostgresInboxStore implements InboxStore {
  constructor(private readonly database: Database) {}

  async openHead({ tenant, user }: Owner, epoch: string): Promise<InboxHead> {
    const read = () => this.database.query<InboxHead>('push_read_head', READ_HEAD, [tenant, user]);
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

  async page({ tenant, user }: Owner, { after, limit }: { readonly after?: number; readonly limit: number }): Promise<InboxItem[]> {
    const rows =
      after === undefined
        ? await this.database.query<ItemRow>('push_read_newest', READ_NEWEST, [tenant, user, limit])
        : await this.database.query<ItemRow>('push_read_forward', READ_FORWARD, [tenant, user, Math.min(after, MAX_OFFSET), limit]);
    return rows.map(toItem);
  }

  async mark(
    { tenant, user }: Owner,
    { ids, upTo }: { readonly ids: readonly string[]; readonly upTo: number },
    state: Exclude<ItemState, 'new'>,
    at: Date,
  ): Promise<number> {
    const parameters = [tenant, user, ids, Math.min(upTo, MAX_OFFSET), at];
    const [row] = await this.database.query<{ changed: number }>(`push_mark_${state}`, markStatement(state), parameters);
    return row?.changed ?? 0;
  }
}

/** Largest value of the column; callers may name any offset. */
const MAX_OFFSET = 2_147_483_647;

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
  };
}
