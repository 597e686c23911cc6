-- Wrapped tenant keys, near-duplicate links, imports that become visible all at once, and a way to find old terms.

-- Either the key itself, as long as there is no master key, or the key wrapped by one.
ALTER TABLE tenant ALTER COLUMN mac_key DROP NOT NULL;
ALTER TABLE tenant ADD COLUMN wrapped_key TEXT;
ALTER TABLE tenant ADD CONSTRAINT tenant_one_key_check CHECK ((mac_key IS NULL) <> (wrapped_key IS NULL));

-- Terms of other versions are found and made anew in the background.
CREATE INDEX memory_lex_version_idx ON memory (tenant_id, lex_version) WHERE deleted_at IS NULL;

-- Which memories say nearly the same; the smaller id first. Ids and a number, no content.
CREATE TABLE memory_link (
  tenant_id  TEXT NOT NULL,
  memory_id  TEXT NOT NULL,
  other_id   TEXT NOT NULL,
  found_by   TEXT NOT NULL,
  similarity REAL NOT NULL,
  linked_at  TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT memory_link_pkey PRIMARY KEY (tenant_id, memory_id, other_id),
  CONSTRAINT memory_link_order_check CHECK (memory_id < other_id),
  CONSTRAINT memory_link_memory_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES memory (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT memory_link_other_fkey FOREIGN KEY (tenant_id, other_id) REFERENCES memory (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_link_other_idx ON memory_link (tenant_id, other_id);

-- Against what each memory was compared: 'terms', or the id of a model as well. Apart from the memory, whose row stays as it is.
CREATE TABLE memory_compared (
  tenant_id     TEXT NOT NULL,
  memory_id     TEXT NOT NULL,
  compared_with TEXT NOT NULL,
  CONSTRAINT memory_compared_pkey PRIMARY KEY (tenant_id, memory_id),
  CONSTRAINT memory_compared_memory_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES memory (tenant_id, id) ON DELETE CASCADE
);

-- Lines of an import that is still arriving, ready to become memories in one statement. Nobody finds them here.
CREATE TABLE memory_import (
  tenant_id     TEXT NOT NULL,
  import_id     TEXT NOT NULL,
  position      INTEGER NOT NULL,
  line          TEXT NOT NULL,
  staged_at     TIMESTAMPTZ(3) NOT NULL,
  id            TEXT NOT NULL,
  scope_kind    TEXT NOT NULL,
  scope_id      TEXT NOT NULL,
  owner         TEXT NOT NULL,
  namespace     TEXT NOT NULL,
  kind          TEXT NOT NULL,
  content       TEXT NOT NULL,
  content_mac   BYTEA NOT NULL,
  match_mac     BYTEA NOT NULL,
  lex           TSVECTOR NOT NULL,
  lex_version   SMALLINT NOT NULL,
  importance    REAL,
  source        JSONB NOT NULL,
  metadata      JSONB,
  created_at    TIMESTAMPTZ(3) NOT NULL,
  expires_at    TIMESTAMPTZ(3),
  valid_from    TIMESTAMPTZ(3),
  valid_to      TIMESTAMPTZ(3),
  evergreen     BOOLEAN NOT NULL,
  rev           INTEGER NOT NULL,
  root_id       TEXT,
  superseded_by TEXT,
  superseded_at TIMESTAMPTZ(3),
  seen_count    INTEGER NOT NULL,
  CONSTRAINT memory_import_pkey PRIMARY KEY (tenant_id, import_id, position)
);
CREATE INDEX memory_import_staged_at_idx ON memory_import (tenant_id, staged_at);

-- What became of an import, so that its last page may be repeated.
CREATE TABLE memory_import_result (
  tenant_id   TEXT NOT NULL,
  import_id   TEXT NOT NULL,
  sha256      TEXT NOT NULL,
  created     INTEGER NOT NULL,
  present     INTEGER NOT NULL,
  expired     INTEGER NOT NULL,
  finished_at TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT memory_import_result_pkey PRIMARY KEY (tenant_id, import_id)
);
CREATE INDEX memory_import_result_finished_at_idx ON memory_import_result (tenant_id, finished_at);

ALTER TABLE memory_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_link FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_link_tenant ON memory_link USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE memory_compared ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_compared FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_compared_tenant ON memory_compared USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE memory_import ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_import FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_import_tenant ON memory_import USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
ALTER TABLE memory_import_result ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_import_result FORCE ROW LEVEL SECURITY;
CREATE POLICY memory_import_result_tenant ON memory_import_result USING (tenant_id = NULLIF(current_setting('plexus.tenant', true), ''));
GRANT SELECT, INSERT, UPDATE, DELETE ON memory_link, memory_compared, memory_import, memory_import_result TO plexus_app;
