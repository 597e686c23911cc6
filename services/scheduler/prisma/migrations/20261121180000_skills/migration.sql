-- Skills that tenants uploaded, one row for each version. The files are in the object store under their hash.
CREATE TABLE skills (
  tenant_id   TEXT           NOT NULL,
  skill_id    TEXT           NOT NULL,
  version     TEXT           NOT NULL,
  hash        TEXT           NOT NULL,
  description TEXT           NOT NULL,
  bytes       INTEGER        NOT NULL,
  files       INTEGER        NOT NULL,
  inventory   JSONB          NOT NULL,
  requires    JSONB          NOT NULL,
  created_at  TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT skills_pkey PRIMARY KEY (tenant_id, skill_id, version)
);
