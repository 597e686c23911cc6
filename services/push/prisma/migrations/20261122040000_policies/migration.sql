-- Policies with their tests, what a policy would have changed, and what people say of what they got.

CREATE TABLE policy (
  t             TEXT NOT NULL,
  version       INTEGER NOT NULL,
  name          TEXT NOT NULL,
  body          JSON NOT NULL,
  text          TEXT NOT NULL,
  digest        TEXT NOT NULL,
  state         TEXT NOT NULL,
  tests         JSON,
  notes         TEXT,
  created_by    TEXT NOT NULL,
  created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  tested_at     TIMESTAMPTZ(3),
  activated_at  TIMESTAMPTZ(3),
  activated_by  TEXT,
  activated_seq BIGINT,
  retired_at    TIMESTAMPTZ(3),
  CONSTRAINT policy_pkey PRIMARY KEY (t, version)
);
-- Whatever goes wrong, a tenant has one active policy at most.
CREATE UNIQUE INDEX policy_active_idx ON policy (t) WHERE state = 'active';

CREATE TABLE policy_replay (
  t           TEXT NOT NULL,
  id          TEXT NOT NULL,
  version     INTEGER,
  digest      TEXT NOT NULL,
  against     INTEGER NOT NULL,
  state       TEXT NOT NULL,
  inputs      INTEGER NOT NULL DEFAULT 0,
  partitions  INTEGER NOT NULL DEFAULT 0,
  cancel      BOOLEAN NOT NULL DEFAULT false,
  alive_until TIMESTAMPTZ(3) NOT NULL,
  error       TEXT,
  result      JSON,
  mentions    TEXT[],
  created_at  TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  finished_at TIMESTAMPTZ(3),
  CONSTRAINT policy_replay_pkey PRIMARY KEY (t, id)
);
CREATE INDEX policy_replay_created_at_idx ON policy_replay (created_at);

CREATE TABLE feedback (
  t           TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  useful      BOOLEAN NOT NULL,
  note        TEXT,
  at          TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT feedback_pkey PRIMARY KEY (t, user_id, delivery_id)
);
CREATE INDEX feedback_t_user_id_at_idx ON feedback (t, user_id, at);

-- Decisions about an event that is known by its id alone, of one user or of anybody. Ids may be longer than an index row, hence the hash.
CREATE INDEX decision_event_id_idx ON decision (t, hashtextextended(event_id, 0), user_id);
