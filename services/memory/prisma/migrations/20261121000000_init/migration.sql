-- Tables of memory. Unqualified names: they are created in the schema that the connection's search_path names first.
-- Runs on Postgres 15 and newer and on PGlite, with or without pgvector.

CREATE TABLE memory (
  tenant_id   TEXT NOT NULL,
  id          TEXT NOT NULL,
  scope_kind  TEXT NOT NULL,
  scope_id    TEXT NOT NULL,
  owner       TEXT NOT NULL DEFAULT '',
  namespace   TEXT NOT NULL DEFAULT '',
  kind        TEXT NOT NULL,
  content     TEXT NOT NULL,
  content_mac BYTEA NOT NULL,
  match_mac   BYTEA NOT NULL,
  lex         TSVECTOR NOT NULL,
  lex_version SMALLINT NOT NULL,
  importance  REAL,
  source      JSONB NOT NULL,
  metadata    JSONB,
  created_at  TIMESTAMPTZ(3) NOT NULL,
  expires_at  TIMESTAMPTZ(3),
  deleted_at  TIMESTAMPTZ(3),
  seen_count  INTEGER NOT NULL DEFAULT 1,
  CONSTRAINT memory_pkey PRIMARY KEY (tenant_id, id)
);
-- Exact deduplication belongs to the database: two writers at once make one row.
CREATE UNIQUE INDEX memory_content_key ON memory (tenant_id, scope_kind, scope_id, owner, namespace, kind, content_mac) WHERE deleted_at IS NULL;
CREATE INDEX memory_scope_idx ON memory (tenant_id, scope_kind, scope_id, created_at DESC, id DESC);
CREATE INDEX memory_expired_idx ON memory (tenant_id, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX memory_deleted_idx ON memory (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE memory_idem (
  tenant_id    TEXT NOT NULL,
  idem_key     TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  memory_id    TEXT NOT NULL,
  created_at   TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT memory_idem_pkey PRIMARY KEY (tenant_id, idem_key)
);
CREATE INDEX memory_idem_created_at_idx ON memory_idem (tenant_id, created_at);

CREATE TABLE tombstone (
  tenant_id   TEXT NOT NULL,
  memory_id   TEXT NOT NULL,
  content_mac BYTEA NOT NULL,
  deleted_at  TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT tombstone_pkey PRIMARY KEY (tenant_id, memory_id)
);
CREATE INDEX tombstone_deleted_at_idx ON tombstone (tenant_id, deleted_at);

-- No row security on the next two: the sweeper must see every tenant, the relay every message. Neither holds content.
CREATE TABLE tenant (
  tenant_id  TEXT NOT NULL,
  mac_key    BYTEA NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT tenant_pkey PRIMARY KEY (tenant_id)
);

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

-- Row security. Every statement about memories runs as plexus_app, which owns nothing and bypasses nothing, with the tenant in a setting
-- that ends with the transaction. Without the setting there are no rows at all.
ALTER TABLE memory ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_tenant ON memory USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE memory_idem ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_idem FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_idem_tenant ON memory_idem USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE tombstone ENABLE ROW LEVEL SECURITY;
ALTER TABLE tombstone FORCE ROW LEVEL SECURITY;
CREATE POLICY tombstone_tenant ON tombstone USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));

-- Roles belong to the whole cluster: another database's migration may have made this one, or be making it now. Where the service's own
-- user may not create roles, an administrator runs CREATE ROLE plexus_app NOLOGIN; GRANT plexus_app TO <user>; beforehand.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'plexus_app') THEN
    BEGIN
      CREATE ROLE plexus_app NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END IF;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    BEGIN
      EXECUTE format('GRANT plexus_app TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    END;
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO plexus_app', current_schema());
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON memory, memory_idem, tombstone TO plexus_app;
GRANT SELECT, INSERT ON outbox TO plexus_app;
GRANT USAGE ON SEQUENCE outbox_id_seq TO plexus_app;
