-- Templates, quotas, hosts, pools, activity, breakers, jobs and sealed provider keys.

CREATE TABLE vm_templates (
  id            TEXT NOT NULL,
  name          TEXT NOT NULL,
  provider      TEXT,
  spec          JSONB NOT NULL DEFAULT '{}',
  spec_hash     TEXT NOT NULL,
  isolation_min TEXT NOT NULL DEFAULT 'none',
  labels        JSONB NOT NULL DEFAULT '{}',
  idle_ms       BIGINT,
  max_life_ms   BIGINT,
  is_current    BOOLEAN NOT NULL DEFAULT true,
  created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_templates_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX vm_templates_name_spec_hash_key ON vm_templates (name, spec_hash);
-- The version of a template that new VMs get.
CREATE UNIQUE INDEX vm_templates_current_key ON vm_templates (name) WHERE is_current;

-- One row per tenant, locked by whoever makes a VM. Null: no such limit.
CREATE TABLE tenant_quota (
  tenant_id    TEXT NOT NULL,
  max_live     INTEGER,
  max_starting INTEGER,
  max_cpu_m    INTEGER,
  max_mem_mib  INTEGER,
  per_user_max INTEGER,
  CONSTRAINT tenant_quota_pkey PRIMARY KEY (tenant_id)
);

CREATE TABLE hosts (
  id             TEXT NOT NULL,
  provider       TEXT NOT NULL,
  capacity       INTEGER,
  cores          INTEGER NOT NULL DEFAULT 1,
  used           DOUBLE PRECISION NOT NULL DEFAULT 0,
  isolation      TEXT NOT NULL DEFAULT 'none',
  labels         JSONB NOT NULL DEFAULT '{}',
  portable       BOOLEAN NOT NULL DEFAULT false,
  state          TEXT NOT NULL DEFAULT 'up',
  failures       INTEGER NOT NULL DEFAULT 0,
  cordoned_until TIMESTAMPTZ(3),
  beat_at        TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  holder_token   TEXT,
  CONSTRAINT hosts_pkey PRIMARY KEY (id, provider),
  CONSTRAINT hosts_state_check CHECK (state IN ('up', 'cordoned', 'draining', 'lost'))
);

-- Owners wait for a VM here: a pool belongs to one tenant, so that nothing that was started for one ever serves another.
CREATE TABLE warm_pools (
  id            TEXT NOT NULL,
  tenant_id     TEXT NOT NULL,
  template      TEXT NOT NULL,
  size          INTEGER NOT NULL,
  max_age_ms    BIGINT NOT NULL DEFAULT 21600000,
  update_policy TEXT NOT NULL DEFAULT 'recreate',
  CONSTRAINT warm_pools_pkey PRIMARY KEY (id),
  CONSTRAINT warm_pools_update_policy_check CHECK (update_policy IN ('recreate', 'keep'))
);

ALTER TABLE vms
  ADD COLUMN template_id           TEXT,
  ADD COLUMN template_hash         TEXT,
  ADD COLUMN provider              TEXT,
  ADD COLUMN workspace_ref         TEXT,
  ADD COLUMN pool_id               TEXT,
  ADD COLUMN idle_ms               BIGINT,
  ADD COLUMN retention_ms          BIGINT,
  ADD COLUMN max_life_ms           BIGINT,
  ADD COLUMN drain_reason          TEXT,
  ADD COLUMN pause_degraded        BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN allow_empty_workspace BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN excluded_hosts        JSONB NOT NULL DEFAULT '[]',
  ADD COLUMN workspace_removed_at  TIMESTAMPTZ(3),
  ADD CONSTRAINT vms_template_id_fkey FOREIGN KEY (template_id) REFERENCES vm_templates (id) ON DELETE SET NULL ON UPDATE CASCADE;

-- I1 again, now that members of a pool have no owner. The new index exists before the old one goes.
CREATE UNIQUE INDEX vms_live_owner ON vms (tenant_id, subject_id, scope_key) WHERE state NOT IN ('failed', 'terminated') AND pool_id IS NULL;
DROP INDEX vms_live_owner_key;
CREATE INDEX vms_pool_idx ON vms (pool_id) WHERE pool_id IS NOT NULL AND state NOT IN ('failed', 'terminated');
CREATE INDEX vms_quota_idx ON vms (tenant_id) WHERE pool_id IS NULL AND state NOT IN ('failed', 'terminated');
CREATE INDEX vms_workspace_idx ON vms (state_since) WHERE state IN ('failed', 'terminated') AND workspace_removed_at IS NULL;

-- It was started before it had an owner: its first token names nobody.
ALTER TABLE vm_instances ADD COLUMN was_warm BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE vm_tickets ADD COLUMN used_ip TEXT;
ALTER TABLE session_snapshots ADD COLUMN kind TEXT NOT NULL DEFAULT 'full', ADD COLUMN hash TEXT NOT NULL DEFAULT '';

-- Who used a VM, newest 50 each: the answer to "why is it still there".
CREATE TABLE vm_activity (
  id     BIGSERIAL NOT NULL,
  vm_id  TEXT NOT NULL,
  kind   TEXT NOT NULL,
  source TEXT NOT NULL,
  at     TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_activity_pkey PRIMARY KEY (id),
  CONSTRAINT vm_activity_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX vm_activity_vm_id_id_idx ON vm_activity (vm_id, id);

-- Whether a template may be started at a provider, shared by all replicas.
CREATE TABLE provider_breakers (
  provider      TEXT NOT NULL,
  template_hash TEXT NOT NULL,
  failures      JSONB NOT NULL DEFAULT '[]',
  open_until    TIMESTAMPTZ(3),
  probe_until   TIMESTAMPTZ(3),
  CONSTRAINT provider_breakers_pkey PRIMARY KEY (provider, template_hash)
);

-- Work that one replica at a time does. Every write of it carries the token; a late holder's write finds another.
CREATE SEQUENCE scheduler_job_token_seq AS BIGINT;
CREATE TABLE scheduler_jobs (
  name   TEXT NOT NULL,
  holder TEXT NOT NULL,
  token  BIGINT NOT NULL,
  until  TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT scheduler_jobs_pkey PRIMARY KEY (name)
);

-- Provider keys of users, sealed with the master key: AES-256-GCM, bound to tenant, user and name.
CREATE TABLE provider_secrets (
  tenant_id  TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  name       TEXT NOT NULL,
  key_id     TEXT NOT NULL,
  sealed     BYTEA NOT NULL,
  updated_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT provider_secrets_pkey PRIMARY KEY (tenant_id, subject_id, name)
);
CREATE INDEX provider_secrets_key_id_idx ON provider_secrets (key_id);
