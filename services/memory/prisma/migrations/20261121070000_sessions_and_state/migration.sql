-- Messages of sessions with how far they were flushed and compacted, and the state of runs.

-- Append-only: the role of ordinary statements may insert and delete, never update. `source_seq` is the place in the transcript, where it came from one.
CREATE TABLE session_msg (
  tenant_id  TEXT NOT NULL,
  session_id TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  owner      TEXT NOT NULL,
  message_id TEXT NOT NULL,
  role       TEXT NOT NULL,
  content    TEXT NOT NULL,
  tools      JSONB,
  run_id     TEXT,
  untrusted  BOOLEAN NOT NULL,
  tokens     INTEGER NOT NULL,
  source_seq INTEGER,
  at         TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT session_msg_pkey PRIMARY KEY (tenant_id, session_id, seq)
);
CREATE UNIQUE INDEX session_msg_message_key ON session_msg (tenant_id, session_id, message_id);
CREATE INDEX session_msg_owner_idx ON session_msg (tenant_id, owner);
CREATE INDEX session_msg_at_idx ON session_msg (tenant_id, at);

-- What leaves the context is a memory before: that is the check.
CREATE TABLE session_mark (
  tenant_id      TEXT NOT NULL,
  session_id     TEXT NOT NULL,
  owner          TEXT NOT NULL,
  session_key    TEXT NOT NULL,
  agent_id       TEXT,
  last_seq       INTEGER NOT NULL DEFAULT 0,
  source_seq     INTEGER,
  flushed_upto   INTEGER NOT NULL DEFAULT 0,
  compacted_upto INTEGER NOT NULL DEFAULT 0,
  compactions    INTEGER NOT NULL DEFAULT 0,
  flushed_cycle  INTEGER,
  summary        TEXT,
  erased_at      TIMESTAMPTZ(3),
  updated_at     TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT session_mark_pkey PRIMARY KEY (tenant_id, session_id),
  CONSTRAINT session_mark_order_check CHECK (0 <= compacted_upto AND compacted_upto <= flushed_upto AND flushed_upto <= last_seq)
);
CREATE INDEX session_mark_owner_idx ON session_mark (tenant_id, owner);
CREATE INDEX session_mark_erased_idx ON session_mark (tenant_id, erased_at) WHERE erased_at IS NOT NULL;

-- One row per flush: the range is settled before anything is written, so that whoever goes on after a crash writes the same.
CREATE TABLE session_flush (
  tenant_id  TEXT NOT NULL,
  session_id TEXT NOT NULL,
  from_seq   INTEGER NOT NULL,
  to_seq     INTEGER NOT NULL,
  begun_at   TIMESTAMPTZ(3) NOT NULL,
  done_at    TIMESTAMPTZ(3),
  CONSTRAINT session_flush_pkey PRIMARY KEY (tenant_id, session_id, from_seq),
  CONSTRAINT session_flush_range_check CHECK (1 <= from_seq AND from_seq <= to_seq),
  CONSTRAINT session_flush_mark_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES session_mark (tenant_id, session_id) ON DELETE CASCADE
);

-- Values of runs. A deleted one keeps its row and version, so that no version ever comes back. Names are compared by their bytes.
CREATE TABLE state_kv (
  tenant_id  TEXT NOT NULL,
  owner      TEXT NOT NULL,
  run_id     TEXT NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  version    BIGINT NOT NULL,
  deleted    BOOLEAN NOT NULL,
  bytes      INTEGER NOT NULL,
  hash       TEXT NOT NULL,
  value      BYTEA NOT NULL,
  updated_at TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT state_kv_pkey PRIMARY KEY (tenant_id, owner, run_id, name),
  CONSTRAINT state_kv_value_check CHECK (octet_length(value) <= 1048576)
);

-- What of a value is beyond its first MiB.
CREATE TABLE state_chunk (
  tenant_id TEXT NOT NULL,
  owner     TEXT NOT NULL,
  run_id    TEXT NOT NULL,
  name      TEXT COLLATE "C" NOT NULL,
  chunk_no  INTEGER NOT NULL,
  data      BYTEA NOT NULL,
  CONSTRAINT state_chunk_pkey PRIMARY KEY (tenant_id, owner, run_id, name, chunk_no),
  CONSTRAINT state_chunk_value_fkey FOREIGN KEY (tenant_id, owner, run_id, name) REFERENCES state_kv (tenant_id, owner, run_id, name) ON DELETE CASCADE
);

ALTER TABLE session_msg ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_msg FORCE ROW LEVEL SECURITY;
CREATE POLICY session_msg_tenant ON session_msg USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE session_mark ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_mark FORCE ROW LEVEL SECURITY;
CREATE POLICY session_mark_tenant ON session_mark USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE session_flush ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_flush FORCE ROW LEVEL SECURITY;
CREATE POLICY session_flush_tenant ON session_flush USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE state_kv ENABLE ROW LEVEL SECURITY;
ALTER TABLE state_kv FORCE ROW LEVEL SECURITY;
CREATE POLICY state_kv_tenant ON state_kv USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE state_chunk ENABLE ROW LEVEL SECURITY;
ALTER TABLE state_chunk FORCE ROW LEVEL SECURITY;
CREATE POLICY state_chunk_tenant ON state_chunk USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));

GRANT SELECT, INSERT, DELETE ON session_msg TO plexus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON session_mark, session_flush, state_kv, state_chunk TO plexus_app;
