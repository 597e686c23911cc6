-- Deciding from an ordered log: who owns which partition, what is remembered of users, what waits for a moment, large audiences.

-- One row per partition. `stream_seq` is the last input decided; a writer whose `fence` is not the row's has lost the partition.
CREATE TABLE partition_cursor (
  part        INTEGER NOT NULL,
  stream_seq  BIGINT NOT NULL DEFAULT 0,
  owner       TEXT,
  fence       BIGINT NOT NULL DEFAULT 0,
  lease_until TIMESTAMPTZ(3),
  CONSTRAINT partition_cursor_pkey PRIMARY KEY (part)
);
INSERT INTO partition_cursor (part) SELECT generate_series(0, 63);

-- Replicas that decide, so that partitions can be spread fairly over them.
CREATE TABLE decider (
  owner       TEXT NOT NULL,
  alive_until TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT decider_pkey PRIMARY KEY (owner)
);

CREATE TABLE user_state (
  t          TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  part       INTEGER NOT NULL,
  rev        BIGINT NOT NULL,
  state      JSON NOT NULL,
  updated_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT user_state_pkey PRIMARY KEY (t, user_id)
);

CREATE TABLE shared_state (
  part  INTEGER NOT NULL,
  t     TEXT NOT NULL,
  state JSON NOT NULL,
  CONSTRAINT shared_state_pkey PRIMARY KEY (part, t)
);

-- `fired_at` set = on its way through the log; the row goes when it was decided.
CREATE TABLE timer (
  t        TEXT NOT NULL,
  user_id  TEXT NOT NULL,
  timer_id TEXT NOT NULL,
  part     INTEGER NOT NULL,
  due_at   TIMESTAMPTZ(3) NOT NULL,
  shots    INTEGER NOT NULL DEFAULT 0,
  fired_at TIMESTAMPTZ(3),
  CONSTRAINT timer_pkey PRIMARY KEY (t, user_id, timer_id)
);
CREATE INDEX timer_due_idx ON timer (due_at) WHERE fired_at IS NULL;
CREATE INDEX timer_part_idx ON timer (part);

-- An event with a large audience. Its recipients are a snapshot taken in one statement; the pages that are left are what is still to be done.
CREATE TABLE fanout_job (
  id         TEXT NOT NULL,
  t          TEXT NOT NULL,
  event      JSON NOT NULL,
  agent      TEXT,
  pages      INTEGER NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  done_at    TIMESTAMPTZ(3),
  CONSTRAINT fanout_job_pkey PRIMARY KEY (id)
);
CREATE INDEX fanout_job_t_created_at_idx ON fanout_job (t, created_at);

CREATE TABLE fanout_page (
  job           TEXT NOT NULL,
  page          INTEGER NOT NULL,
  t             TEXT NOT NULL,
  recipients    JSON NOT NULL,
  claimed_until TIMESTAMPTZ(3),
  CONSTRAINT fanout_page_pkey PRIMARY KEY (job, page)
);
CREATE INDEX fanout_page_t_job_page_idx ON fanout_page (t, job, page);

-- One input may decide about an event more than once (deferred, then moved on), so decisions are numbered as they are appended.
ALTER TABLE decision DROP CONSTRAINT decision_pkey;
ALTER TABLE decision ADD COLUMN id BIGSERIAL;
ALTER TABLE decision ADD CONSTRAINT decision_pkey PRIMARY KEY (id);
ALTER TABLE decision ADD COLUMN event_type TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN terminal BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE decision ADD COLUMN policy_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN until TIMESTAMPTZ(3);
CREATE INDEX decision_t_user_id_event_key_idx ON decision (t, user_id, event_key);

ALTER TABLE inbox_item ADD COLUMN urgency TEXT;
ALTER TABLE inbox_item ADD COLUMN interrupt BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE inbox_item ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox_item ADD COLUMN resolved_at TIMESTAMPTZ(3);
ALTER TABLE inbox_item ADD COLUMN edited_at TIMESTAMPTZ(3);
