-- What people say about how they want to be reached. User `_` stands for everybody of the tenant.

-- A scope may be followed more than once, under different names: two interests in everything are two subscriptions.
ALTER TABLE subscription
  ADD COLUMN name          TEXT NOT NULL DEFAULT '',
  ADD COLUMN predicate     JSONB,
  ADD COLUMN interest_text TEXT,
  ADD COLUMN muted_until   TIMESTAMPTZ(3),
  ADD COLUMN valid_from    TIMESTAMPTZ(3),
  ADD COLUMN valid_to      TIMESTAMPTZ(3),
  ADD COLUMN updated_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;
DROP INDEX subscription_t_user_id_scope_kind_scope_ref_key;
CREATE UNIQUE INDEX subscription_t_user_id_scope_kind_scope_ref_name_key ON subscription (t, user_id, scope_kind, scope_ref, name);

-- The whole of what a user wants. `version` counts changes of the preferences and of the quiet hours together.
CREATE TABLE preference (
  t           TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  version     INTEGER NOT NULL,
  preferences JSONB NOT NULL,
  updated_at  TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT preference_pkey PRIMARY KEY (t, user_id)
);

CREATE TABLE quiet_hours (
  t               TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  tz              TEXT NOT NULL,
  start_time      TEXT NOT NULL,
  end_time        TEXT NOT NULL,
  days            INTEGER[],
  bypass_priority TEXT NOT NULL,
  CONSTRAINT quiet_hours_pkey PRIMARY KEY (t, user_id)
);

CREATE TABLE silence (
  t                TEXT NOT NULL,
  id               TEXT NOT NULL,
  user_id          TEXT NOT NULL,
  matchers         JSONB NOT NULL,
  starts_at        TIMESTAMPTZ(3) NOT NULL,
  ends_at          TIMESTAMPTZ(3) NOT NULL,
  include_critical BOOLEAN NOT NULL,
  reason           TEXT NOT NULL,
  created_by       TEXT NOT NULL,
  created_at       TIMESTAMPTZ(3) NOT NULL,
  ended_by         TEXT,
  ended_at         TIMESTAMPTZ(3),
  CONSTRAINT silence_pkey PRIMARY KEY (t, id)
);
CREATE INDEX silence_t_user_id_ends_at_idx ON silence (t, user_id, ends_at);

-- What was last said about a user and a scope; `granted` false keeps an older grant from coming back. User `_`: whether the scope is restricted.
CREATE TABLE access_grant (
  t          TEXT NOT NULL,
  scope_kind TEXT NOT NULL,
  scope_ref  TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  granted    BOOLEAN NOT NULL,
  until      TIMESTAMPTZ(3),
  said_at    TIMESTAMPTZ(3) NOT NULL,
  said_seq   BIGINT NOT NULL,
  said_by    TEXT NOT NULL,
  CONSTRAINT access_grant_pkey PRIMARY KEY (t, scope_kind, scope_ref, user_id)
);
CREATE INDEX access_grant_t_user_id_idx ON access_grant (t, user_id);

-- Where a user can be reached outside the inbox. Nothing but the code is sent to an address before `verified_at`.
CREATE TABLE contact (
  t               TEXT NOT NULL,
  id              TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  channel         TEXT NOT NULL,
  address         TEXT NOT NULL,
  details         JSONB NOT NULL,
  label           TEXT NOT NULL,
  created_at      TIMESTAMPTZ(3) NOT NULL,
  verified_at     TIMESTAMPTZ(3),
  code_hash       TEXT,
  code_expires_at TIMESTAMPTZ(3),
  code_attempts   INTEGER NOT NULL DEFAULT 0,
  codes_sent      INTEGER NOT NULL DEFAULT 0,
  code_sent_at    TIMESTAMPTZ(3),
  disabled_reason TEXT,
  CONSTRAINT contact_pkey PRIMARY KEY (t, id)
);
CREATE UNIQUE INDEX contact_t_user_id_channel_address_key ON contact (t, user_id, channel, address);
