-- Only rows that were published are looked up by when: those that wait need not be in that index, which every write would have to keep.
DROP INDEX outbox_published_at_idx;
CREATE INDEX outbox_published_at_idx ON outbox (published_at) WHERE published_at IS NOT NULL;
