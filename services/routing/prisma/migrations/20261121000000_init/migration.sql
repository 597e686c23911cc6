-- CreateTable
CREATE TABLE "sessions" (
    "id" BIGSERIAL NOT NULL,
    "tenant" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "session_key" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "label" TEXT,
    "message_count" INTEGER NOT NULL DEFAULT 0,
    "active_run_id" TEXT,
    "stream_seq" BIGINT NOT NULL DEFAULT 0,
    "stream_epoch" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "messages" (
    "session_id" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "message_id" TEXT NOT NULL,
    "session_ref" BIGINT NOT NULL,
    "role" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "run_id" TEXT,
    "label" TEXT,
    "idempotency_key" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "messages_pkey" PRIMARY KEY ("session_id","seq")
);

-- CreateTable
CREATE TABLE "runs" (
    "id" BIGSERIAL NOT NULL,
    "tenant" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "run_id" TEXT NOT NULL,
    "session_ref" BIGINT NOT NULL,
    "session_id" TEXT NOT NULL,
    "session_key" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "message_seq" INTEGER NOT NULL,
    "extra_system_prompt" TEXT,
    "timeout_ms" INTEGER NOT NULL,
    "due_at" TIMESTAMPTZ(3),
    "text" TEXT,
    "error_code" TEXT,
    "error_message" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "runs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "outbox" (
    "id" BIGSERIAL NOT NULL,
    "subject" TEXT NOT NULL,
    "msg_id" TEXT NOT NULL,
    "headers" JSONB NOT NULL DEFAULT '{}',
    "body" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "published_at" TIMESTAMPTZ(3),

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "sessions_session_id_key" ON "sessions"("session_id");

-- CreateIndex
CREATE INDEX "sessions_tenant_owner_updated_at_idx" ON "sessions"("tenant", "owner", "updated_at" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "sessions_tenant_owner_session_key_key" ON "sessions"("tenant", "owner", "session_key");

-- CreateIndex
CREATE UNIQUE INDEX "messages_message_id_key" ON "messages"("message_id");

-- CreateIndex
CREATE INDEX "messages_session_ref_idx" ON "messages"("session_ref");

-- CreateIndex
CREATE UNIQUE INDEX "messages_session_ref_idempotency_key_key" ON "messages"("session_ref", "idempotency_key");

-- CreateIndex
CREATE INDEX "runs_session_id_run_id_idx" ON "runs"("session_id", "run_id");

-- CreateIndex
CREATE INDEX "runs_session_ref_idx" ON "runs"("session_ref");

-- CreateIndex
CREATE UNIQUE INDEX "runs_tenant_owner_run_id_key" ON "runs"("tenant", "owner", "run_id");

-- CreateIndex
CREATE UNIQUE INDEX "outbox_msg_id_key" ON "outbox"("msg_id");

-- CreateIndex
CREATE INDEX "outbox_published_at_idx" ON "outbox"("published_at");

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_session_ref_fkey" FOREIGN KEY ("session_ref") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "runs" ADD CONSTRAINT "runs_session_ref_fkey" FOREIGN KEY ("session_ref") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema language cannot say.

-- The answer of a run stands in the transcript once, however often its end is delivered.
CREATE UNIQUE INDEX "messages_answer_key" ON "messages" ("session_id", "run_id") WHERE "role" = 'assistant' AND "run_id" IS NOT NULL;

-- The queue of a session, and what the sweeper looks at.
CREATE INDEX "runs_open_idx" ON "runs" ("session_id", "id") WHERE "status" IN ('queued', 'started');
CREATE INDEX "runs_due_idx" ON "runs" ("due_at") WHERE "status" = 'started';

-- What the outbox relay reads.
CREATE INDEX "outbox_pending_idx" ON "outbox" ("id") WHERE "published_at" IS NULL;

ALTER TABLE "runs" ADD CONSTRAINT "runs_status_check" CHECK ("status" IN ('queued', 'started', 'ok', 'error', 'cancelled', 'timeout'));
ALTER TABLE "messages" ADD CONSTRAINT "messages_role_check" CHECK ("role" IN ('user', 'assistant', 'system', 'tool'));
