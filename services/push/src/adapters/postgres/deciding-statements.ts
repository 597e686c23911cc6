import { errorCodeOf } from '@plexus/database';

/**
 * The statements of deciding. Rows of several partitions and users travel as arrays. What a batch changes is one statement (`commit-statement.ts`)
 * or, with something rare in it, one transaction that is sent at once: either costs one round trip.
 */

/** Why the server refuses a batch: the fence was raised, a user was changed by somebody else, an event was seen before. */
export type Refusal = 'lost' | 'stale' | 'seen';

/** Which reason the server refused a batch for; undefined: for none of ours. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (errorCodeOf(error) !== INVALID_TEXT) return undefined;
  // The sentence around the word is in the language of the server, and so are its quotation marks.
  return /\b(lost|stale|seen)\P{L}*$/u.exec((error as Error).message)?.[1] as Refusal | undefined;
}
const INVALID_TEXT = '22P02';

export const LOAD_USERS = `
  SELECT s.rev, s.state, h.epoch, h.head_offset AS head
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (t, user_id, place)
    LEFT JOIN user_state s ON s.t = k.t AND s.user_id = k.user_id
    LEFT JOIN inbox_head h ON h.t = k.t AND h.user_id = k.user_id
   ORDER BY k.place`;

export const OPEN_HEADS = `
  INSERT INTO inbox_head (t, user_id, epoch, head_offset)
  SELECT k.t, k.user_id, k.epoch, 0 FROM unnest($1::text[], $2::text[], $3::text[]) AS k (t, user_id, epoch) ORDER BY 1, 2
  ON CONFLICT DO NOTHING`;

export const LOAD_SHARED = `
  SELECT s.state FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS k (part, t, place)
    LEFT JOIN shared_state s ON s.part = k.part AND s.t = k.t
   ORDER BY k.place`;

export const SEEN = `
  SELECT s.t IS NOT NULL AS seen FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (t, user_id, event_key, place)
    LEFT JOIN seen_event s ON s.t = k.t AND s.user_id = k.user_id AND s.event_key = k.event_key
   ORDER BY k.place`;

/** Those of the partitions that are still where we took them to be. */
export const STILL_OURS = `
  SELECT c.part FROM partition_cursor c
    JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS w (part, fence, before) ON c.part = w.part AND c.fence = w.fence AND c.stream_seq = w.before`;

/** What one event of several has become does not end the item. */
export const EDIT_ITEMS = `
  UPDATE inbox_item i
     SET repeats = coalesce(e.repeats, i.repeats),
         resolved_at = CASE WHEN json_array_length(i.events) = 1 THEN coalesce(e.resolved_at, i.resolved_at) ELSE i.resolved_at END,
         edited_at = e.at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[]) AS e (t, user_id, delivery_id, repeats, resolved_at, at)
   WHERE i.t = e.t AND i.user_id = e.user_id AND i.delivery_id = e.delivery_id`;

export const SET_TIMERS = `
  INSERT INTO timer (t, user_id, timer_id, part, due_at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::timestamptz[])
  ON CONFLICT (t, user_id, timer_id) DO UPDATE SET due_at = excluded.due_at, part = excluded.part, fired_at = NULL`;

/** With a moment only that one is over: the timer may have been set to another since. */
export const END_TIMERS = `
  DELETE FROM timer m USING unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS e (t, user_id, timer_id, due_at)
   WHERE m.t = e.t AND m.user_id = e.user_id AND m.timer_id = e.timer_id AND (e.due_at IS NULL OR m.due_at = e.due_at)`;

export const SAVE_SHARED = `
  INSERT INTO shared_state (part, t, state)
  SELECT s.part, s.t, s.state::json FROM unnest($1::int[], $2::text[], $3::text[]) AS s (part, t, state)
  ON CONFLICT (part, t) DO UPDATE SET state = excluded.state`;

export const LOAD_ITEMS = `
  SELECT i.t, i.user_id, i.inbox_offset, i.delivery_id, i.kind, i.priority, i.title, i.events, i.reasons, i.created_at, i.seen_at, i.read_at, i.done_at,
         i.urgency, i.interrupt
    FROM unnest($1::text[], $2::text[], $3::text[]) AS k (t, user_id, delivery_id)
    JOIN inbox_item i ON i.t = k.t AND i.user_id = k.user_id AND i.delivery_id = k.delivery_id`;
