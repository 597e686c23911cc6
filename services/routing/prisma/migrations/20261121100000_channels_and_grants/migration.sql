-- AlterTable
ALTER TABLE "sessions" ADD COLUMN "entry" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN "release_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "runs" ADD COLUMN "config_revision" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "merged_into" TEXT,
ADD COLUMN "queue_mode" TEXT NOT NULL DEFAULT 'followup',
ADD COLUMN "reply_route" JSONB;

-- AlterTable
ALTER TABLE "messages" ADD COLUMN "sender" JSONB;

-- CreateTable
CREATE TABLE "session_grants" (
    "session_ref" BIGINT NOT NULL,
    "tenant" TEXT NOT NULL,
    "grantee" TEXT NOT NULL,
    "access" TEXT NOT NULL,
    "granted_by" TEXT NOT NULL,
    "granted_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "session_grants_pkey" PRIMARY KEY ("session_ref","grantee")
);

-- CreateTable
CREATE TABLE "inbound_messages" (
    "id" BIGSERIAL NOT NULL,
    "tenant" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "chat_id" TEXT NOT NULL,
    "message_id" TEXT NOT NULL,
    "sender_id" TEXT,
    "outcome" TEXT NOT NULL,
    "run_id" TEXT,
    "config_revision" BIGINT NOT NULL DEFAULT 0,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "inbound_messages_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pairing_requests" (
    "id" BIGSERIAL NOT NULL,
    "tenant" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "sender_id" TEXT NOT NULL,
    "sender_name" TEXT,
    "code" TEXT NOT NULL,
    "chat_id" TEXT NOT NULL,
    "messages" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "pairing_requests_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "pairing_attempts" (
    "tenant" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "failures" INTEGER NOT NULL,
    "window_ends_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "pairing_attempts_pkey" PRIMARY KEY ("tenant","caller")
);

-- CreateTable
CREATE TABLE "channel_admissions" (
    "tenant" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "sender_id" TEXT NOT NULL,
    "decision" TEXT NOT NULL,
    "decided_by" TEXT NOT NULL,
    "decided_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channel_admissions_pkey" PRIMARY KEY ("tenant","channel","account_id","sender_id")
);

-- CreateTable
CREATE TABLE "sends" (
    "id" BIGSERIAL NOT NULL,
    "tenant" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "send_id" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "pinned" BOOLEAN NOT NULL DEFAULT false,
    "target" JSONB NOT NULL,
    "text" TEXT NOT NULL,
    "attachments" JSONB NOT NULL DEFAULT '[]',
    "mirror" JSONB,
    "run_id" TEXT,
    "session_key" TEXT,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "tried" JSONB NOT NULL DEFAULT '[]',
    "due_at" TIMESTAMPTZ(3),
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "sent_account_id" TEXT,
    "message_id" TEXT,
    "error_code" TEXT,
    "error_message" TEXT,
    "config_revision" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "sends_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_attempts" (
    "send_ref" BIGINT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "account_id" TEXT NOT NULL,
    "probe" BOOLEAN NOT NULL DEFAULT false,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "reason" TEXT,
    "error" TEXT,

    CONSTRAINT "delivery_attempts_pkey" PRIMARY KEY ("send_ref","attempt")
);

-- CreateTable
CREATE TABLE "channel_health" (
    "tenant" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "breaker" JSONB NOT NULL DEFAULT '{}',
    "health" JSONB NOT NULL DEFAULT '{}',
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channel_health_pkey" PRIMARY KEY ("tenant","channel","account_id")
);

-- CreateTable
CREATE TABLE "erasures" (
    "erasure_id" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "requested_by" TEXT NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expected" JSONB NOT NULL,

    CONSTRAINT "erasures_pkey" PRIMARY KEY ("erasure_id")
);

-- CreateTable
CREATE TABLE "erasure_receipts" (
    "erasure_id" TEXT NOT NULL,
    "service" TEXT NOT NULL,
    "counts" JSONB NOT NULL DEFAULT '{}',
    "problem" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "erasure_receipts_pkey" PRIMARY KEY ("erasure_id","service")
);

-- CreateIndex
CREATE INDEX "session_grants_tenant_grantee_idx" ON "session_grants"("tenant", "grantee");

-- CreateIndex
CREATE INDEX "inbound_messages_at_idx" ON "inbound_messages"("at");

-- CreateIndex
CREATE UNIQUE INDEX "inbound_messages_once_key" ON "inbound_messages"("tenant", "source", "account_id", "chat_id", "message_id");

-- CreateIndex
CREATE INDEX "pairing_requests_tenant_created_at_idx" ON "pairing_requests"("tenant", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_requests_tenant_code_key" ON "pairing_requests"("tenant", "code");

-- CreateIndex
CREATE UNIQUE INDEX "pairing_requests_sender_key" ON "pairing_requests"("tenant", "channel", "account_id", "sender_id");

-- CreateIndex
CREATE UNIQUE INDEX "sends_send_id_key" ON "sends"("send_id");

-- CreateIndex
CREATE INDEX "sends_tenant_created_at_idx" ON "sends"("tenant", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "sends_tenant_owner_idempotency_key_key" ON "sends"("tenant", "owner", "idempotency_key");

-- CreateIndex
CREATE INDEX "erasures_tenant_requested_at_idx" ON "erasures"("tenant", "requested_at");

-- AddForeignKey
ALTER TABLE "session_grants" ADD CONSTRAINT "session_grants_session_ref_fkey" FOREIGN KEY ("session_ref") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_send_ref_fkey" FOREIGN KEY ("send_ref") REFERENCES "sends"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "erasure_receipts" ADD CONSTRAINT "erasure_receipts_erasure_id_fkey" FOREIGN KEY ("erasure_id") REFERENCES "erasures"("erasure_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema language cannot say.

-- Sends that somebody has to look at: an attempt to be made, or one whose outcome is overdue.
CREATE INDEX "sends_due_idx" ON "sends" ("due_at") WHERE "status" IN ('waiting', 'sending');

-- Sessions whose collected messages wait for a quiet moment.
CREATE INDEX "sessions_release_idx" ON "sessions" ("release_at") WHERE "release_at" IS NOT NULL;

-- Runs whose messages were taken into another run and that end with it.
CREATE INDEX "runs_merged_idx" ON "runs" ("session_id", "merged_into") WHERE "merged_into" IS NOT NULL;

ALTER TABLE "session_grants" ADD CONSTRAINT "session_grants_access_check" CHECK ("access" IN ('read', 'write'));
ALTER TABLE "runs" ADD CONSTRAINT "runs_queue_mode_check" CHECK ("queue_mode" IN ('collect', 'steer', 'followup', 'interrupt'));
ALTER TABLE "sends" ADD CONSTRAINT "sends_status_check" CHECK ("status" IN ('waiting', 'sending', 'sent', 'failed'));
ALTER TABLE "channel_admissions" ADD CONSTRAINT "channel_admissions_decision_check" CHECK ("decision" IN ('approved', 'rejected'));
