import { errorCodeOf } from '@plexus/database';

/**
 * The statements of deciding. Rows of several partitions and users travel as arrays, and a commit is sent at once, from `BEGIN` to `COMMIT`: so a
 * batch costs one round trip. What has to hold for it is therefore judged by the server, which refuses the rest when it does not.
 */

/** Fails, naming the reason, unless `rows` (a data-modifying part of the statement) has as many rows as were wanted. */
const allOf = (rows: string, reason: 'lost' | 'stale') =>
  `SELECT (CASE WHEN count(*) = cardinality($1) THEN '1' ELSE '${reason}' END)::int AS complete FROM ${rows}`;

/** Which reason the server refused a batch for; undefined: for none of ours. */
export function refusalOf(error: unknown): 'lost' | 'stale' | undefined {
  if (errorCodeOf(error) !== INVALID_TEXT) return undefined;
  return /"(lost|stale)"$/.exec((error as Error).message)?.[1] as 'lost' | 'stale' | undefined;
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

/** Rows are locked in one order: the renewal of leases and other batches touch several of them as well. */
export const MOVE_CURSORS = `
  WITH wanted AS (SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w (part, fence, before, next)),
       locked AS (SELECT part, fence, stream_seq FROM partition_cursor WHERE part = ANY ($1::int[]) ORDER BY part FOR UPDATE),
       moved AS (UPDATE partition_cursor c SET stream_seq = w.next
                   FROM wanted w JOIN locked l ON l.part = w.part AND l.fence = w.fence AND l.stream_seq = w.before
                  WHERE c.part = w.part
                 RETURNING c.part)
  ${allOf('moved', 'lost')}`;

/** Those of the partitions that are still where we took them to be. */
export const STILL_OURS = `
  SELECT c.part FROM partition_cursor c
    JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS w (part, fence, before) ON c.part = w.part AND c.fence = w.fence AND c.stream_seq = w.before`;

export const UPDATE_USERS = `
  WITH written AS (UPDATE user_state s SET state = u.state::json, rev = u.rev + 1, updated_at = now()
                     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS u (t, user_id, rev, state)
                    WHERE s.t = u.t AND s.user_id = u.user_id AND s.rev = u.rev
                   RETURNING 1)
  ${allOf('written', 'stale')}`;

export const INSERT_USERS = `
  WITH written AS (INSERT INTO user_state (t, user_id, part, rev, state)
                   SELECT u.t, u.user_id, u.part, 1, u.state::json
                     FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) AS u (t, user_id, part, state)
                   ON CONFLICT DO NOTHING
                   RETURNING 1)
  ${allOf('written', 'stale')}`;

export const MOVE_HEADS = `
  WITH moved AS (UPDATE inbox_head h SET head_offset = m.after_offset
                   FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[]) AS m (t, user_id, epoch, before_offset, after_offset)
                  WHERE h.t = m.t AND h.user_id = m.user_id AND h.epoch = m.epoch AND h.head_offset = m.before_offset
                 RETURNING 1)
  ${allOf('moved', 'stale')}`;

export const INSERT_SEEN = `
  INSERT INTO seen_event (t, user_id, event_key, input_seq, at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
  ON CONFLICT DO NOTHING`;

export const INSERT_DECISIONS = `
  INSERT INTO decision (t, user_id, event_key, input_seq, event_origin, event_source, event_id, event_type, verdict, reason, terminal, delivery_id,
                        policy_version, trace, at, until)
  SELECT d.t, d.user_id, d.event_key, d.input_seq, d.origin, d.source, d.id, d.type, d.verdict, d.reason, d.terminal, d.delivery_id,
         d.policy_version, d.trace::jsonb, d.at, d.until
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bool[],
                $12::text[], $13::int[], $14::text[], $15::timestamptz[], $16::timestamptz[]) WITH ORDINALITY
         AS d (t, user_id, event_key, input_seq, origin, source, id, type, verdict, reason, terminal, delivery_id, policy_version, trace, at, until, place)
   ORDER BY d.place`;

export const INSERT_ITEMS = `
  INSERT INTO inbox_item (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, urgency, interrupt,
                          escalates, expires_at)
  SELECT i.t, i.user_id, i.inbox_offset, i.delivery_id, i.kind, i.priority, i.title, i.events::json, i.reasons::jsonb, i.created_at, i.urgency, i.interrupt,
         i.escalates, i.expires_at
    FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::text[],
                $12::bool[], $13::text[], $14::timestamptz[])
         AS i (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, urgency, interrupt, escalates, expires_at)`;

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
