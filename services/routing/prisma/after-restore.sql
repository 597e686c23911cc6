-- What routing's tables need once after they were restored from a backup, before the first replica starts (`plexus backup restore`, `plexus backup settle`).

-- Nothing by themselves: what they and the scheduler's have to agree about is settled by the command.
SELECT 1;
