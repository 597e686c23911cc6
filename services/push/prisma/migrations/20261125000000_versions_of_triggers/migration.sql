-- Counts what people changed, so that a change can name the version that it was made for.
ALTER TABLE schedule ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dispatch_rule ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE silence ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
