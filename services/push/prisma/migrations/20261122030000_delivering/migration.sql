-- Sending over channels outside the inbox, and what becomes of its items.

-- One row per attempt, written before it is made: a crash repeats at most what was under way. `contact` is empty where a channel needs none.
-- `command_seq` tells a dead letter that was redriven from the message that it came from.
CREATE TABLE delivery_attempt (
  t           TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  channel     TEXT NOT NULL,
  level       INTEGER NOT NULL,
  contact     TEXT NOT NULL,
  n           INTEGER NOT NULL,
  user_id     TEXT NOT NULL,
  status      TEXT NOT NULL,
  error       TEXT,
  command_seq BIGINT NOT NULL,
  at          TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  lease_until TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT delivery_attempt_pkey PRIMARY KEY (t, delivery_id, channel, level, contact, n)
);
CREATE INDEX delivery_attempt_t_user_id_idx ON delivery_attempt (t, user_id);
CREATE INDEX delivery_attempt_at_idx ON delivery_attempt (at);

ALTER TABLE inbox_item ADD COLUMN acked_at TIMESTAMPTZ(3);
ALTER TABLE inbox_item ADD COLUMN acked_by TEXT;
-- Of an escalation: the delivery that nobody acknowledged.
ALTER TABLE inbox_item ADD COLUMN escalates TEXT;
CREATE INDEX inbox_item_escalates_idx ON inbox_item (t, escalates) WHERE escalates IS NOT NULL;
-- When everything that it tells of has expired: nothing is sent over channels after it.
ALTER TABLE inbox_item ADD COLUMN expires_at TIMESTAMPTZ(3);
CREATE INDEX inbox_item_created_at_idx ON inbox_item (created_at);

-- Items up to and including it are not kept any more.
ALTER TABLE inbox_head ADD COLUMN min_offset INTEGER NOT NULL DEFAULT 0;
CREATE INDEX decision_at_idx ON decision (at);
