import type { InboxItem } from '../../domain/inbox-item.js';

/** Columns of an item, in the order that nobody relies on. */
export const ITEM_COLUMNS =
  'inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, seen_at, read_at, done_at, urgency, interrupt, repeats, resolved_at, acked_at, acked_by, escalates';

export interface ItemRow {
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
  readonly urgency: InboxItem['urgency'] | null;
  readonly interrupt: boolean;
  readonly repeats: number;
  readonly resolved_at: Date | null;
  readonly acked_at: Date | null;
  readonly acked_by: string | null;
  readonly escalates: string | null;
}

/** An item as everybody sees it. */
export function toItem(row: ItemRow): InboxItem {
  return {
    offset: row.inbox_offset,
    id: row.delivery_id,
    kind: row.kind,
    priority: row.priority,
    title: row.title,
    events: row.events,
    reasons: row.reasons,
    state: stateOf(row),
    createdAt: row.created_at.toISOString(),
    ...(row.urgency !== null && { urgency: row.urgency }),
    interrupt: row.interrupt,
    ...changesOf(row),
    ...(row.acked_by !== null && { acknowledgedBy: row.acked_by }),
    ...(row.escalates !== null && { escalates: row.escalates }),
  };
}

export function stateOf({ done_at, read_at, seen_at }: Pick<ItemRow, 'done_at' | 'read_at' | 'seen_at'>): InboxItem['state'] {
  if (done_at !== null) return 'done';
  if (read_at !== null) return 'read';
  return seen_at !== null ? 'seen' : 'new';
}

/** What can happen to an item after it was sent, beside its state. */
export function changesOf({ repeats, resolved_at, acked_at }: Pick<ItemRow, 'repeats' | 'resolved_at' | 'acked_at'>) {
  return {
    ...(repeats > 0 && { repeats }),
    ...(resolved_at !== null && { resolvedAt: resolved_at.toISOString() }),
    ...(acked_at !== null && { acknowledgedAt: acked_at.toISOString() }),
  };
}
