-- Messages of one chat leave in order: the earlier ones that are not through yet are looked up for each that is due.
CREATE INDEX "sends_chat_idx" ON "sends" ("tenant", "channel", ("target"->>'to'), "id") WHERE "status" IN ('waiting', 'sending');
