-- What push's tables need once after they were restored from a backup, before the first replica starts (`plexus backup restore`, `plexus backup settle`).

-- Somebody may have seen offsets that this inbox has not given out yet. Another epoch tells every client to read it anew.
UPDATE inbox_head SET epoch = '01' || substr(md5(random()::text || t || user_id || clock_timestamp()::text), 1, 24);

-- Whoever held a partition when the backup was made does not hold it now; a writer that survived finds another fence.
UPDATE partition_cursor SET owner = NULL, lease_until = NULL, fence = fence + 1;
DELETE FROM decider;
