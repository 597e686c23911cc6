import type { DatabaseSession } from './database.js';

export interface OutboxRow {
  readonly id: number;
  readonly subject: string;
  readonly msg_id: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** Publishes one message and resolves when the stream has stored it (or knew it). `bus.publishRaw` fits. */
export type PublishRaw = (
  subject: string,
  body: Uint8Array,
  options: { headers: Record<string, string>; msgId: string; timeoutMs: number },
) => Promise<unknown>;

export interface BatchResult {
  readonly published: readonly number[];
  /** How many of them the stream knew already. */
  readonly duplicates: number;
  /** First failure per subject; the later rows of that subject were not tried. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/** The oldest unpublished rows whose subject is not in `skip`. */
export function readPending(session: DatabaseSession, limit: number, skip: readonly string[]): Promise<OutboxRow[]> {
  return session.query<OutboxRow>(
    'plexus_outbox_pending',
    'SELECT id, subject, msg_id, headers, body FROM outbox WHERE published_at IS NULL AND subject <> ALL ($2::text[]) ORDER BY id LIMIT $1::int',
    [limit, skip],
  );
}

/** Publishes rows: subjects side by side, within a subject one after another, so that a failure never lets a later row overtake. */
export async function publishBatch(rows: readonly OutboxRow[], publish: PublishRaw, timeoutMs: number, stopped: () => boolean): Promise<BatchResult> {
  const published: number[] = [];
  const failures = new Map<string, unknown>();
  let duplicates = 0;
  const bySubject = new Map<string, OutboxRow[]>();
  for (const row of rows) {
    const ordered = bySubject.get(row.subject);
    if (ordered) ordered.push(row);
    else bySubject.set(row.subject, [row]);
  }
  await Promise.all(
    [...bySubject].map(async ([subject, ordered]) => {
      for (const row of ordered) {
        if (stopped()) return;
        try {
          const receipt = await publish(subject, row.body, { headers: row.headers, msgId: row.msg_id, timeoutMs });
          published.push(row.id);
          if (isDuplicate(receipt)) duplicates += 1;
        } catch (error) {
          failures.set(subject, error);
          return;
        }
      }
    }),
  );
  return { published, duplicates, failures };
}

function isDuplicate(receipt: unknown): boolean {
  return typeof receipt === 'object' && receipt !== null && (receipt as { duplicate?: unknown }).duplicate === true;
}

export async function markPublished(session: DatabaseSession, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await session.query('plexus_outbox_mark', 'UPDATE outbox SET published_at = now() WHERE id = ANY ($1::bigint[])', [ids]);
}

/** Deletes at most `limit` rows published longer ago than `retainMs`; returns how many. */
export async function prunePublished(session: DatabaseSession, retainMs: number, limit: number): Promise<number> {
  const rows = await session.query(
    'plexus_outbox_prune',
    `DELETE FROM outbox WHERE id IN
       (SELECT id FROM outbox WHERE published_at < now() - $1::double precision * interval '1 millisecond' ORDER BY published_at LIMIT $2::int)
     RETURNING id`,
    [retainMs, limit],
  );
  return rows.length;
}

/** Unpublished rows, counted up to 10,000. */
export async function countPending(session: DatabaseSession): Promise<number> {
  const [row] = await session.query<{ pending: number }>(
    'plexus_outbox_backlog',
    'SELECT count(*)::int AS pending FROM (SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 10000) AS pending',
  );
  return row?.pending ?? 0;
}
