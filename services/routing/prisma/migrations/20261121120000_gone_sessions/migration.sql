-- Incarnations of sessions that were deleted or erased, while the stream may still hold events of them.
CREATE TABLE "gone_sessions" (
    "session_id" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "gone_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "purge_at" TIMESTAMPTZ(3),

    CONSTRAINT "gone_sessions_pkey" PRIMARY KEY ("session_id")
);
CREATE INDEX "gone_sessions_tenant_owner_idx" ON "gone_sessions"("tenant", "owner");
CREATE INDEX "gone_sessions_purge_at_idx" ON "gone_sessions"("purge_at");
