-- Tables of push. Unqualified names: they are created in the schema that the connection's search_path names first.

CREATE TABLE subscription (
  t             TEXT NOT NULL,
  id            TEXT NOT NULL,
  user_id       TEXT NOT NULL,
  scope_kind    TEXT NOT NULL,
  scope_ref     TEXT NOT NULL,
  min_severity  TEXT NOT NULL,
  type_patterns TEXT[],
  level         TEXT NOT NULL,
  version       INTEGER NOT NULL DEFAULT 1,
  created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT subscription_pkey PRIMARY KEY (t, id)
);
CREATE UNIQUE INDEX subscription_t_user_id_scope_kind_scope_ref_key ON subscription (t, user_id, scope_kind, scope_ref);
CREATE INDEX subscription_t_scope_kind_scope_ref_idx ON subscription (t, scope_kind, scope_ref);

CREATE TABLE seen_event (
  t         TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  event_key TEXT NOT NULL,
  input_seq BIGINT NOT NULL,
  at        TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT seen_event_pkey PRIMARY KEY (t, user_id, event_key)
);
CREATE INDEX seen_event_at_idx ON seen_event (at);

CREATE TABLE decision (
  t            TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  event_key    TEXT NOT NULL,
  input_seq    BIGINT NOT NULL,
  event_origin TEXT NOT NULL,
  event_source TEXT NOT NULL,
  event_id     TEXT NOT NULL,
  verdict      TEXT NOT NULL,
  reason       TEXT NOT NULL,
  delivery_id  TEXT,
  trace        JSONB NOT NULL,
  at           TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT decision_pkey PRIMARY KEY (t, user_id, event_key, input_seq)
);
CREATE INDEX decision_t_user_id_at_idx ON decision (t, user_id, at);

CREATE TABLE inbox_head (
  t           TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  epoch       TEXT NOT NULL,
  head_offset INTEGER NOT NULL,
  CONSTRAINT inbox_head_pkey PRIMARY KEY (t, user_id)
);

CREATE TABLE inbox_item (
  t            TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  inbox_offset INTEGER NOT NULL,
  delivery_id  TEXT NOT NULL,
  kind         TEXT NOT NULL,
  priority     TEXT NOT NULL,
  title        TEXT NOT NULL,
  events       JSON NOT NULL,
  reasons      JSONB NOT NULL,
  created_at   TIMESTAMPTZ(3) NOT NULL,
  seen_at      TIMESTAMPTZ(3),
  read_at      TIMESTAMPTZ(3),
  done_at      TIMESTAMPTZ(3),
  CONSTRAINT inbox_item_pkey PRIMARY KEY (t, user_id, inbox_offset)
);
CREATE UNIQUE INDEX inbox_item_t_delivery_id_key ON inbox_item (t, delivery_id);
-- Counts what is unread, and finds what "mark everything up to here" still has to touch.
CREATE INDEX inbox_item_unread_idx ON inbox_item (t, user_id, inbox_offset) WHERE read_at IS NULL;

CREATE TABLE outbox (
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
CREATE INDEX outbox_published_at_idx ON outbox (published_at);
