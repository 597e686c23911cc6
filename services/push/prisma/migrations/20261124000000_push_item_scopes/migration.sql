-- What each listed event of an item is about, as far as access to it may be restricted ("case:7"): looked at again before every attempt outside the inbox.
ALTER TABLE inbox_item ADD COLUMN scopes JSONB;
