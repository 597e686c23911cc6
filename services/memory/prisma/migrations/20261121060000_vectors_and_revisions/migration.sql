-- Revisions, validity, vectors. Runs on Postgres 15 and newer and on PGlite, with or without pgvector: the tables of vectors (one per model,
-- because one index needs one width) are made by the service where the extension can be had.

ALTER TABLE memory
  ADD COLUMN rev           INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN root_id       TEXT,
  ADD COLUMN valid_from    TIMESTAMPTZ(3),
  ADD COLUMN valid_to      TIMESTAMPTZ(3),
  ADD COLUMN superseded_by TEXT,
  ADD COLUMN superseded_at TIMESTAMPTZ(3),
  ADD COLUMN evergreen     BOOLEAN NOT NULL DEFAULT false;

-- A superseded text may be written anew.
DROP INDEX memory_content_key;
CREATE UNIQUE INDEX memory_content_key ON memory (tenant_id, scope_kind, scope_id, owner, namespace, kind, content_mac)
  WHERE deleted_at IS NULL AND superseded_at IS NULL;
CREATE INDEX memory_root_idx ON memory (tenant_id, root_id) WHERE root_id IS NOT NULL;

-- Which models there are; no tenant's, no content. At most one is active, at most one is being built.
CREATE TABLE embedding_model (
  id           TEXT NOT NULL,
  table_name   TEXT NOT NULL,
  provider     TEXT NOT NULL,
  name         TEXT NOT NULL,
  dimensions   INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  floor        DOUBLE PRECISION,
  canary       BYTEA,
  state        TEXT NOT NULL,
  created_at   TIMESTAMPTZ(3) NOT NULL,
  activated_at TIMESTAMPTZ(3),
  retired_at   TIMESTAMPTZ(3),
  CONSTRAINT embedding_model_pkey PRIMARY KEY (id),
  CONSTRAINT embedding_model_state_check CHECK (state IN ('building', 'active', 'retired'))
);
CREATE UNIQUE INDEX embedding_model_active_key ON embedding_model (state) WHERE state <> 'retired';

-- Per tenant: a shared one would tell, by timing, that somebody else holds the same text.
CREATE TABLE embed_cache (
  tenant_id   TEXT NOT NULL,
  model_id    TEXT NOT NULL,
  content_mac BYTEA NOT NULL,
  vector      BYTEA NOT NULL,
  used_at     TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT embed_cache_pkey PRIMARY KEY (tenant_id, model_id, content_mac)
);
CREATE INDEX embed_cache_used_at_idx ON embed_cache (tenant_id, used_at);

-- What a model refused by itself; the text stays findable by its words.
CREATE TABLE embed_failed (
  tenant_id TEXT NOT NULL,
  memory_id TEXT NOT NULL,
  model_id  TEXT NOT NULL,
  rev       INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  attempts  INTEGER NOT NULL,
  failed_at TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT embed_failed_pkey PRIMARY KEY (tenant_id, memory_id, model_id),
  CONSTRAINT embed_failed_memory_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES memory (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE embed_cache ENABLE ROW LEVEL SECURITY;
ALTER TABLE embed_cache FORCE ROW LEVEL SECURITY;
CREATE POLICY embed_cache_tenant ON embed_cache USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE embed_failed ENABLE ROW LEVEL SECURITY;
ALTER TABLE embed_failed FORCE ROW LEVEL SECURITY;
CREATE POLICY embed_failed_tenant ON embed_failed USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON embed_cache, embed_failed TO plexus_app;
GRANT SELECT ON embedding_model TO plexus_app;

-- A deleted memory leaves nothing from which its content could be guessed: each table of vectors has a trigger that calls this.
CREATE FUNCTION memory_forget_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DELETE FROM %I WHERE tenant_id = $1 AND memory_id = $2', TG_ARGV[0]) USING NEW.tenant_id, NEW.id;
  RETURN NULL;
END
$$;
