-- What runs by itself. `next_at` is null where a schedule is disabled or has no further due time, so the index holds what can fall due.
CREATE TABLE schedule (
  t               TEXT NOT NULL,
  id              TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  name            TEXT NOT NULL,
  cron            TEXT,
  every_ms        BIGINT,
  tz              TEXT NOT NULL,
  action          JSON NOT NULL,
  catch_up        TEXT NOT NULL,
  catch_up_max    INTEGER NOT NULL,
  enabled         BOOLEAN NOT NULL,
  origin          TEXT NOT NULL,
  config_revision BIGINT NOT NULL DEFAULT 0,
  next_at         TIMESTAMPTZ(3),
  created_at      TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY (t, id)
);
CREATE INDEX schedule_t_user_id_idx ON schedule (t, user_id);
CREATE INDEX schedule_next_at_idx ON schedule (next_at);

-- One row per due time, whoever fires it: the key is what makes a firing happen once.
CREATE TABLE schedule_run (
  t           TEXT NOT NULL,
  schedule_id TEXT NOT NULL,
  due_at      TIMESTAMPTZ(3) NOT NULL,
  user_id     TEXT NOT NULL,
  trigger     TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT,
  run_id      TEXT,
  fired_at    TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY (t, schedule_id, due_at)
);
CREATE INDEX schedule_run_t_user_id_idx ON schedule_run (t, user_id);
CREATE INDEX schedule_run_fired_at_idx ON schedule_run (fired_at);

CREATE TABLE dispatch_rule (
  t            TEXT NOT NULL,
  id           TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  name         TEXT NOT NULL,
  match        JSON NOT NULL,
  research     JSON NOT NULL,
  notify       JSON NOT NULL,
  recipients   TEXT[],
  max_per_hour INTEGER NOT NULL,
  enabled      BOOLEAN NOT NULL,
  refused      INTEGER NOT NULL DEFAULT 0,
  created_at   TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY (t, id)
);
CREATE INDEX dispatch_rule_t_user_id_idx ON dispatch_rule (t, user_id);

-- Research from the event or call that asked for it to the notification. `due_at`: when it is looked at next, null once it has ended.
-- `revision` fences: whoever looked at an older row changes nothing.
CREATE TABLE dispatch_run (
  t             TEXT NOT NULL,
  id            TEXT NOT NULL,
  user_id       TEXT NOT NULL,
  kind          TEXT NOT NULL,
  source_id     TEXT NOT NULL,
  dedup_key     TEXT NOT NULL,
  request_hash  TEXT NOT NULL,
  state         TEXT NOT NULL,
  task          JSON NOT NULL,
  notice        JSON,
  recipients    TEXT[],
  caused_by     TEXT,
  depth         INTEGER NOT NULL,
  agent_run_id  TEXT,
  session_key   TEXT,
  result        TEXT,
  error_code    TEXT,
  error_message TEXT,
  attempts      INTEGER NOT NULL DEFAULT 0,
  revision      INTEGER NOT NULL DEFAULT 1,
  due_at        TIMESTAMPTZ(3),
  deadline      TIMESTAMPTZ(3) NOT NULL,
  created_at    TIMESTAMPTZ(3) NOT NULL,
  ended_at      TIMESTAMPTZ(3),
  PRIMARY KEY (t, id)
);
CREATE UNIQUE INDEX dispatch_run_t_kind_source_id_dedup_key_key ON dispatch_run (t, kind, source_id, dedup_key);
CREATE INDEX dispatch_run_t_user_id_created_at_idx ON dispatch_run (t, user_id, created_at);
CREATE INDEX dispatch_run_t_source_id_created_at_idx ON dispatch_run (t, source_id, created_at);
CREATE INDEX dispatch_run_t_agent_run_id_idx ON dispatch_run (t, agent_run_id);
CREATE INDEX dispatch_run_due_at_idx ON dispatch_run (due_at);
CREATE INDEX dispatch_run_ended_at_idx ON dispatch_run (ended_at);
