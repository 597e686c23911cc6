-- A schedule of one moment: due once, then disabled.
ALTER TABLE schedule ADD COLUMN at TIMESTAMPTZ(3);
