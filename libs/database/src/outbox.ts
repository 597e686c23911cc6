import { randomUUID } from 'node:crypto';
import type { Statement, Tx } from './database.js';

/**
 * The table of the transactional outbox, to be copied into a service's first migration. What is to be published is written in the
 * transaction that makes it true; {@link OutboxRelay} publishes it afterwards.
 */
export const OUTBOX_DDL = `CREATE TABLE outbox (
  id           BIGSERIAL PRIMARY KEY,
  subject      TEXT NOT NULL,
  msg_id       TEXT NOT NULL,
  headers      JSONB NOT NULL DEFAULT '{}',
  body         BYTEA NOT NULL,
  created_at   TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  published_at TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX outbox_msg_id_key ON outbox (msg_id);
CREATE INDEX outbox_pending_idx ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published_at_idx ON outbox (published_at);`;

/** One message as `bus.encodeEvent` makes it. */
export interface OutboxMessage {
  readonly subject: string;
  /** The stream drops a second message of this id inside its window, the table as long as the row is kept. Without one the row gets an id of its own. */
  readonly msgId: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Writes messages into the outbox of the transaction. A message id that is already there is left alone, so repeating a step is harmless.
 *
 * Order: messages of one subject leave in the order of their rows. Rows of different transactions have a defined order only when the
 * writers exclude each other (a row lock on what the subject is about), because ids are drawn before commits.
 */
export async function appendOutbox(tx: Tx, messages: readonly OutboxMessage[]): Promise<void> {
  for (const { name, text, params } of outboxStatements(messages)) await tx.query(name, text, params);
}

/** The same for a transaction whose statements are sent together (`Database.batch`): none for no messages. */
export function outboxStatements(messages: readonly OutboxMessage[]): Statement[] {
  return messages.length === 0 ? [] : [{ name: 'plexus_outbox_append', text: APPEND, params: columnsOf(messages) }];
}

const APPEND = `
  INSERT INTO outbox (subject, msg_id, headers, body)
  SELECT m.subject, m.msg_id, m.headers::jsonb, m.body
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY AS m (subject, msg_id, headers, body, position)
   ORDER BY m.position
  ON CONFLICT (msg_id) DO NOTHING`;

/**
 * The same as a part of another statement (`WITH …, noted AS (…) …`), so that a row and what it makes true need one statement: `condition`
 * chooses among the messages, of which `m.about` says what each is about. Five parameters from `$first` on, as {@link outboxParameters} makes them.
 */
export function outboxInsert(first: number, condition: string): string {
  const [subject, msgId, headers, body, about] = [0, 1, 2, 3, 4].map((offset) => `$${first + offset}`);
  return `INSERT INTO outbox (subject, msg_id, headers, body)
    SELECT m.subject, m.msg_id, m.headers::jsonb, m.body
      FROM unnest(${subject}::text[], ${msgId}::text[], ${headers}::text[], ${body}::bytea[], ${about}::text[])
           WITH ORDINALITY AS m (subject, msg_id, headers, body, about, position)
     WHERE ${condition}
     ORDER BY m.position
    ON CONFLICT (msg_id) DO NOTHING`;
}

/** Parameters of {@link outboxInsert}. */
export function outboxParameters(messages: readonly (OutboxMessage & { readonly about: string })[]): unknown[] {
  return [...columnsOf(messages), messages.map(({ about }) => about)];
}

function columnsOf(messages: readonly OutboxMessage[]): unknown[] {
  return [
    messages.map((message) => message.subject),
    messages.map((message) => message.msgId ?? randomUUID()),
    messages.map((message) => JSON.stringify(message.headers ?? {})),
    messages.map((message) => Buffer.from(message.body)),
  ];
}
