-- What memory's tables need once after they were restored from a backup, before the first replica starts (`plexus backup restore`, `plexus backup settle`).

-- Backups of `plexus` hold no vectors: they are made again. A model whose table is not there is registered anew at the start, and the sweeper fills it.
DELETE FROM embedding_model WHERE to_regclass(table_name) IS NULL;
