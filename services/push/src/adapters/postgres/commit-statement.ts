import { outboxInsert } from '@plexus/database';
import type { Refusal } from './deciding-statements.js';

/**
 * What a batch changes as one statement. Its parts run in the order of their conditions: the cursors first, under row locks, then users and heads,
 * then sightings; whatever does not hold is an error that names its reason and undoes all of it. Read committed is enough, because the fence and the
 * revisions are compared under those locks.
 *
 * Rows of one kind travel as one array per column. Parts are written with placeholders of their own, from `$1` on; they are numbered through below.
 */
interface Part {
  readonly text: string;
  readonly params: number;
}

/** Fails, naming the reason, unless `holds`. */
const orRefuse = (holds: string, reason: Refusal) => `(CASE WHEN ${holds} THEN '1' ELSE '${reason}' END)::int AS ok`;

/** Rows are locked in one order: the renewal of leases and other batches touch several of them as well. */
const CURSORS: Part = {
  params: 4,
  text: `
  wanted AS (SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w (part, fence, before, next)),
  locked AS (SELECT part, fence, stream_seq FROM partition_cursor WHERE part = ANY ($1::int[]) ORDER BY part FOR UPDATE),
  moved AS (UPDATE partition_cursor c SET stream_seq = w.next
              FROM wanted w JOIN locked l ON l.part = w.part AND l.fence = w.fence AND l.stream_seq = w.before
             WHERE c.part = w.part
            RETURNING 1),
  ours AS MATERIALIZED (SELECT ${orRefuse('count(*) = cardinality($1)', 'lost')} FROM moved)`,
};

const USERS: Part = {
  params: 13,
  text: `
  known AS (UPDATE user_state s SET state = u.state::json, rev = u.rev + 1, updated_at = now()
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS u (t, user_id, rev, state)
             WHERE s.t = u.t AND s.user_id = u.user_id AND s.rev = u.rev AND (SELECT ok FROM ours) = 1
            RETURNING 1),
  opened AS (INSERT INTO user_state (t, user_id, part, rev, state)
             SELECT u.t, u.user_id, u.part, 1, u.state::json
               FROM unnest($5::text[], $6::text[], $7::int[], $8::text[]) AS u (t, user_id, part, state)
              WHERE (SELECT ok FROM ours) = 1
             ON CONFLICT DO NOTHING
             RETURNING 1),
  heads AS (UPDATE inbox_head h SET head_offset = m.after_offset
              FROM unnest($9::text[], $10::text[], $11::text[], $12::int[], $13::int[]) AS m (t, user_id, epoch, before_offset, after_offset)
             WHERE h.t = m.t AND h.user_id = m.user_id AND h.epoch = m.epoch AND h.head_offset = m.before_offset AND (SELECT ok FROM ours) = 1
            RETURNING 1),
  current AS MATERIALIZED (SELECT ${orRefuse(
    '(SELECT count(*) FROM known) = cardinality($1) AND (SELECT count(*) FROM opened) = cardinality($5) AND (SELECT count(*) FROM heads) = cardinality($9)',
    'stale',
  )})`,
};

const SEEN: Part = {
  params: 5,
  text: `
  sighted AS (INSERT INTO seen_event (t, user_id, event_key, input_seq, at)
              SELECT e.* FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) AS e WHERE (SELECT ok FROM current) = 1
              ON CONFLICT DO NOTHING
              RETURNING 1),
  fresh AS MATERIALIZED (SELECT ${orRefuse('count(*) = cardinality($1)', 'seen')} FROM sighted)`,
};

const ITEMS: Part = {
  params: 15,
  text: `
  items AS (INSERT INTO inbox_item (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, urgency, interrupt,
                                    escalates, expires_at, scopes)
            SELECT i.t, i.user_id, i.inbox_offset, i.delivery_id, i.kind, i.priority, i.title, i.events::json, i.reasons::jsonb, i.created_at, i.urgency,
                   i.interrupt, i.escalates, i.expires_at, i.scopes::jsonb
              FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
                          $11::text[], $12::bool[], $13::text[], $14::timestamptz[], $15::text[])
                   AS i (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, urgency, interrupt, escalates, expires_at,
                         scopes)
             WHERE (SELECT ok FROM fresh) = 1)`,
};

const DECISIONS: Part = {
  params: 16,
  text: `
  decided AS (INSERT INTO decision (t, user_id, event_key, input_seq, event_origin, event_source, event_id, event_type, verdict, reason, terminal,
                                    delivery_id, policy_version, trace, at, until)
              SELECT d.t, d.user_id, d.event_key, d.input_seq, d.origin, d.source, d.id, d.type, d.verdict, d.reason, d.terminal, d.delivery_id,
                     d.policy_version, d.trace::jsonb, d.at, d.until
                FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                            $11::bool[], $12::text[], $13::int[], $14::text[], $15::timestamptz[], $16::timestamptz[]) WITH ORDINALITY
                     AS d (t, user_id, event_key, input_seq, origin, source, id, type, verdict, reason, terminal, delivery_id, policy_version, trace, at,
                           until, place)
               WHERE (SELECT ok FROM fresh) = 1
               ORDER BY d.place)`,
};

const OUTBOX: Part = {
  params: 5,
  text: `
  noted AS (${outboxInsert(1, '(SELECT ok FROM fresh) = 1')})`,
};

/** Only that nothing of these partitions concerns anybody up to here. */
export const MOVE_CURSORS = assemble([CURSORS], 'ours');

/** Parameters: those of the cursors, users (known, new, heads), sightings, items, decisions and outbox. */
export const COMMIT = assemble([CURSORS, USERS, SEEN, ITEMS, DECISIONS, OUTBOX], 'fresh');

/** Numbers the parameters through; `last` is the condition that stands for all of them. */
function assemble(parts: readonly Part[], last: string): string {
  let before = 0;
  const texts = parts.map(({ text, params }) => {
    const numbered = text.replaceAll(/\$(\d+)/g, (_, place: string) => `$${before + Number(place)}`);
    before += params;
    return numbered;
  });
  return `WITH ${texts.join(',')}\n  SELECT ok FROM ${last}`;
}
