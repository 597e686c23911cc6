-- Whose session a model call was for, in which run, and what of its input the endpoint had cached. Rows of before say nothing about that.
ALTER TABLE usage
  ADD COLUMN owner TEXT,
  ADD COLUMN session_key TEXT,
  ADD COLUMN run_id TEXT,
  ADD COLUMN cache_read_tokens INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
-- For sums over a tenant, and for what is old enough to go.
CREATE INDEX usage_tenant_id_at_idx ON usage (tenant_id, at);
CREATE INDEX usage_at_idx ON usage (at);
