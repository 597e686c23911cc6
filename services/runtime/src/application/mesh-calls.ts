/** What a request of a session may say beside its parameters. */
export interface MeshRequestOptions {
  /** Ends the request with `AbortedError`. */
  readonly signal?: AbortSignal;
  /** Milliseconds until `TIMEOUT`; else what the method has, 60 s for most. */
  readonly timeoutMs?: number;
}

/** What sessions ask of the mesh and tell it, beside the events of their runs. Survives cut sockets and replaced gateways. */
export interface MeshCalls {
  /**
   * Asks the mesh and resolves with the result. Sent again under the same id when the mesh does not know it after a reconnect.
   * Rejects with a `PlexusError` that carries the answer's code, `TIMEOUT` when none came in time, or `AbortedError`. Leaves nothing behind.
   */
  request(sessionId: string, method: string, params: Record<string, unknown>, options?: MeshRequestOptions): Promise<unknown>;
  /**
   * Tells the mesh without an answer: `usage_report`, `audit_log`, `memory_write`, `snapshot_sync`, `evolution_submit`. Kept in the journal
   * until the mesh has it, as an event is. Resolves when it is there; waits while the buffer is full.
   */
  tell(sessionId: string, method: string, params: Record<string, unknown>): Promise<void>;
}
