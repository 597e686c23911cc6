-- Tables of the scheduler. Unqualified names: they are created in the schema that the connection's search_path names first.

-- Fencing numbers: one sequence for the whole cluster, so that an epoch names one incarnation of one VM for ever.
CREATE SEQUENCE vm_epoch_seq AS BIGINT;

CREATE TABLE vms (
  id                  TEXT NOT NULL,
  tenant_id           TEXT NOT NULL,
  subject_id          TEXT NOT NULL,
  scope_key           TEXT NOT NULL,
  state               TEXT NOT NULL,
  state_since         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  desired_state       TEXT NOT NULL DEFAULT 'running',
  generation          INTEGER NOT NULL DEFAULT 1,
  observed_generation INTEGER NOT NULL DEFAULT 0,
  current_epoch       BIGINT NOT NULL DEFAULT 0,
  attempt             INTEGER NOT NULL DEFAULT 0,
  crashes             INTEGER NOT NULL DEFAULT 0,
  next_action_at      TIMESTAMPTZ(3),
  deadline_at         TIMESTAMPTZ(3),
  stop_target         TEXT,
  reason_code         TEXT,
  reason_text         TEXT,
  claim_owner         TEXT,
  claim_until         TIMESTAMPTZ(3),
  row_version         BIGINT NOT NULL DEFAULT 1,
  last_activity_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  host_id             TEXT,
  created_at          TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vms_pkey PRIMARY KEY (id),
  CONSTRAINT vms_state_check CHECK (state IN ('requested', 'provisioning', 'booting', 'ready', 'suspect', 'draining', 'pausing', 'paused', 'backoff', 'stopping', 'failed', 'terminated', 'warm')),
  CONSTRAINT vms_desired_state_check CHECK (desired_state IN ('running', 'paused', 'terminated')),
  -- I6: a row that is not terminal is looked at again in finite time.
  CONSTRAINT vms_next_action_check CHECK (state IN ('failed', 'terminated') OR next_action_at IS NOT NULL)
);
-- I1: one live VM per owner key. This index is the guarantee; everything in code is only there to rarely meet it.
CREATE UNIQUE INDEX vms_live_owner_key ON vms (tenant_id, subject_id, scope_key) WHERE state NOT IN ('failed', 'terminated');
CREATE INDEX vms_due_idx ON vms (next_action_at) WHERE state NOT IN ('failed', 'terminated');
CREATE INDEX vms_tenant_id_subject_id_created_at_idx ON vms (tenant_id, subject_id, created_at);

CREATE TABLE vm_instances (
  id            BIGSERIAL NOT NULL,
  vm_id         TEXT NOT NULL,
  epoch         BIGINT NOT NULL DEFAULT nextval('vm_epoch_seq'),
  provider      TEXT NOT NULL,
  provider_name TEXT NOT NULL,
  provider_ref  JSONB,
  phase         TEXT NOT NULL,
  host_id       TEXT,
  lease_until   TIMESTAMPTZ(3),
  conn_gen      INTEGER NOT NULL DEFAULT 0,
  gateway       TEXT,
  sent_seq      INTEGER NOT NULL DEFAULT 0,
  started_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  attached_at   TIMESTAMPTZ(3),
  gone_at       TIMESTAMPTZ(3),
  exit_code     INTEGER,
  exit_signal   TEXT,
  exit_reason   TEXT,
  CONSTRAINT vm_instances_pkey PRIMARY KEY (id),
  CONSTRAINT vm_instances_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT vm_instances_phase_check CHECK (phase IN ('creating', 'running', 'stopping', 'gone'))
);
CREATE UNIQUE INDEX vm_instances_epoch_key ON vm_instances (epoch);
-- I2: one incarnation of a VM that is not gone.
CREATE UNIQUE INDEX vm_instances_present_key ON vm_instances (vm_id) WHERE phase <> 'gone';
CREATE INDEX vm_instances_vm_id_epoch_idx ON vm_instances (vm_id, epoch);

-- Only hashes: a dump of this table admits nobody.
CREATE TABLE vm_tickets (
  hash         BYTEA NOT NULL,
  vm_id        TEXT NOT NULL,
  epoch        BIGINT NOT NULL,
  expires_at   TIMESTAMPTZ(3) NOT NULL,
  used_at      TIMESTAMPTZ(3),
  client_nonce TEXT,
  CONSTRAINT vm_tickets_pkey PRIMARY KEY (hash),
  CONSTRAINT vm_tickets_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX vm_tickets_vm_id_idx ON vm_tickets (vm_id);

-- Which sessions an incarnation has been told about. `epoch`: the last incarnation that was sent start_session;
-- `marker_seq`: where in the session's subject the epoch marker of `marked_epoch` lies.
CREATE TABLE vm_sessions (
  tenant_id    TEXT NOT NULL,
  session_id   TEXT NOT NULL,
  vm_id        TEXT NOT NULL,
  session_key  TEXT NOT NULL,
  owner        TEXT NOT NULL,
  agent_id     TEXT NOT NULL,
  runtime_type TEXT NOT NULL DEFAULT 'semigraph',
  epoch        BIGINT NOT NULL,
  marked_epoch BIGINT NOT NULL DEFAULT 0,
  marker_seq   BIGINT NOT NULL DEFAULT 0,
  last_run_id  TEXT,
  updated_at   TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_sessions_pkey PRIMARY KEY (tenant_id, session_id),
  CONSTRAINT vm_sessions_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX vm_sessions_vm_id_epoch_idx ON vm_sessions (vm_id, epoch);

-- Downlink frames. A row belongs to one incarnation and has its frame number from the start; what a later incarnation needs is made
-- anew from vm_runs.
CREATE TABLE vm_outbox (
  id         BIGSERIAL NOT NULL,
  vm_id      TEXT NOT NULL,
  epoch      BIGINT NOT NULL,
  seq        INTEGER NOT NULL,
  type       TEXT NOT NULL,
  session_id TEXT,
  run_id     TEXT,
  body       JSONB NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  acked_at   TIMESTAMPTZ(3),
  CONSTRAINT vm_outbox_pkey PRIMARY KEY (id),
  CONSTRAINT vm_outbox_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX vm_outbox_vm_id_epoch_seq_key ON vm_outbox (vm_id, epoch, seq);
CREATE INDEX vm_outbox_created_at_idx ON vm_outbox (created_at);

CREATE TABLE vm_inbox_mark (
  vm_id    TEXT NOT NULL,
  epoch    BIGINT NOT NULL,
  last_seq INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT vm_inbox_mark_pkey PRIMARY KEY (vm_id, epoch),
  CONSTRAINT vm_inbox_mark_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);

-- Every run this service was told to start and does not know to be over, with the whole command: whatever an incarnation needs can be
-- made from it again. `cancelled`: the cancel came first and waits for its start; `ending`: this service has written an end itself.
CREATE TABLE vm_runs (
  tenant_id       TEXT NOT NULL,
  session_id      TEXT NOT NULL,
  run_id          TEXT NOT NULL,
  state           TEXT NOT NULL,
  session_key     TEXT NOT NULL,
  owner           TEXT NOT NULL,
  agent_id        TEXT NOT NULL,
  scope_key       TEXT NOT NULL DEFAULT 'user',
  command         JSONB,
  traceparent     TEXT,
  vm_id           TEXT,
  handed_epoch    BIGINT,
  lost            INTEGER NOT NULL DEFAULT 0,
  cancel_reason   TEXT,
  steers          JSONB NOT NULL DEFAULT '[]',
  run_seq         INTEGER NOT NULL DEFAULT 0,
  bind_at         TIMESTAMPTZ(3),
  unavailable_at  TIMESTAMPTZ(3),
  check_at        TIMESTAMPTZ(3),
  created_at      TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ended_at        TIMESTAMPTZ(3),
  CONSTRAINT vm_runs_pkey PRIMARY KEY (tenant_id, session_id, run_id),
  CONSTRAINT vm_runs_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT vm_runs_state_check CHECK (state IN ('cancelled', 'open', 'ending', 'ended'))
);
CREATE INDEX vm_runs_open_idx ON vm_runs (vm_id) WHERE state = 'open';
CREATE INDEX vm_runs_unbound_idx ON vm_runs (bind_at) WHERE state = 'open' AND vm_id IS NULL;
CREATE INDEX vm_runs_check_idx ON vm_runs (LEAST(unavailable_at, check_at)) WHERE state = 'open';
CREATE INDEX vm_runs_ended_at_idx ON vm_runs (ended_at);

CREATE TABLE vm_transitions (
  id         BIGSERIAL NOT NULL,
  vm_id      TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  cause      TEXT NOT NULL,
  epoch      BIGINT NOT NULL,
  replica    TEXT NOT NULL,
  at         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_transitions_pkey PRIMARY KEY (id),
  CONSTRAINT vm_transitions_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX vm_transitions_vm_id_id_idx ON vm_transitions (vm_id, id);

CREATE TABLE vm_dead_letters (
  id     BIGSERIAL NOT NULL,
  vm_id  TEXT NOT NULL,
  epoch  BIGINT NOT NULL,
  seq    INTEGER NOT NULL,
  code   TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size   INTEGER NOT NULL,
  at     TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_dead_letters_pkey PRIMARY KEY (id),
  CONSTRAINT vm_dead_letters_vm_id_fkey FOREIGN KEY (vm_id) REFERENCES vms (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX vm_dead_letters_vm_id_id_idx ON vm_dead_letters (vm_id, id);

CREATE TABLE session_snapshots (
  tenant_id  TEXT NOT NULL,
  session_id TEXT NOT NULL,
  version    INTEGER NOT NULL,
  vm_id      TEXT NOT NULL,
  epoch      BIGINT NOT NULL,
  body       JSONB NOT NULL,
  at         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT session_snapshots_pkey PRIMARY KEY (tenant_id, session_id, version)
);

CREATE TABLE vm_audit (
  id         BIGSERIAL NOT NULL,
  tenant_id  TEXT NOT NULL,
  vm_id      TEXT,
  epoch      BIGINT,
  session_id TEXT,
  event      TEXT NOT NULL,
  details    JSONB NOT NULL,
  at         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT vm_audit_pkey PRIMARY KEY (id)
);
CREATE INDEX vm_audit_tenant_id_at_idx ON vm_audit (tenant_id, at);

CREATE TABLE usage (
  id         BIGSERIAL NOT NULL,
  tenant_id  TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  vm_id      TEXT NOT NULL,
  epoch      BIGINT NOT NULL,
  session_id TEXT NOT NULL,
  model      TEXT NOT NULL,
  tokens_in  INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  latency_ms INTEGER,
  at         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT usage_pkey PRIMARY KEY (id)
);
CREATE INDEX usage_tenant_id_subject_id_at_idx ON usage (tenant_id, subject_id, at);

-- One row: when any replica could last see both the database and the mesh. A gap means that beats may have been lost with nobody at fault.
CREATE TABLE scheduler_pulse (
  id INTEGER NOT NULL DEFAULT 1,
  at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT scheduler_pulse_pkey PRIMARY KEY (id)
);

-- Transactional outbox: what libs/database's relay publishes.
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
