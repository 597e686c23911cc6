-- Files that messages bring along. Without a session: stored, and not named by a message yet.
CREATE TABLE "attachments" (
    "attachment_id" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "uploader" TEXT NOT NULL,
    "session_ref" BIGINT,
    "name" TEXT NOT NULL,
    "mime_type" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "attachments_pkey" PRIMARY KEY ("attachment_id")
);
CREATE INDEX "attachments_tenant_uploader_idx" ON "attachments"("tenant", "uploader");
CREATE INDEX "attachments_session_ref_idx" ON "attachments"("session_ref");
CREATE INDEX "attachments_tenant_created_at_idx" ON "attachments"("tenant", "created_at");
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_session_ref_fkey" FOREIGN KEY ("session_ref") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Their bytes, in parts that one message of the bus carries.
CREATE TABLE "attachment_parts" (
    "attachment_id" TEXT NOT NULL,
    "part" INTEGER NOT NULL,
    "data" BYTEA NOT NULL,

    CONSTRAINT "attachment_parts_pkey" PRIMARY KEY ("attachment_id", "part")
);
ALTER TABLE "attachment_parts" ADD CONSTRAINT "attachment_parts_attachment_id_fkey" FOREIGN KEY ("attachment_id") REFERENCES "attachments"("attachment_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "messages" ADD COLUMN "attachments" JSONB;
