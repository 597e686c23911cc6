/** What the gateway knows of a session that runs on a VM: enough to publish its events. */
export interface VmSession {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string | undefined;
  /** The run that was handed to the VM last; needed only for runtimes that do not name it in their events. */
  readonly runId: string | undefined;
  /** The runs that were handed to the VM last, newest at the end: a message may be in work while the next one is there already. */
  readonly runs: readonly string[];
}

const MAX_SESSIONS = 10_000;
const MAX_RUNS = 16;

/**
 * The sessions of one VM connection. They come with the answer to `vm.attach` and with every `start_session` that passes through;
 * events of a session that is not here cannot be published.
 */
export class VmSessions {
  private readonly sessions = new Map<string, VmSession>();

  get(sessionId: string): VmSession | undefined {
    return this.sessions.get(sessionId);
  }

  /** Whether an agent runs here. */
  hasAgent(agentId: string): boolean {
    for (const session of this.sessions.values()) if (session.agentId === agentId) return true;
    return false;
  }

  /** Reads `init.sessions`: `[{sessionId, sessionKey, owner, agentId?, runId?}]`. Entries that cannot be read are skipped; returns how many. */
  learnAll(entries: unknown): number {
    if (!Array.isArray(entries)) return 0;
    let skipped = 0;
    for (const entry of entries as unknown[]) {
      const { sessionId, sessionKey, owner, agentId, runId } = record(entry);
      if (!this.put(sessionId, sessionKey, owner, agentId, runId)) skipped += 1;
    }
    return skipped;
  }

  /** Reads a frame on its way to the VM. */
  learnFrom(frame: Readonly<Record<string, unknown>>): void {
    const data = record(frame.data);
    if (frame.type === 'start_session') this.put(data.session_id, data.session_key, data.owner, data.agent_id, undefined);
    else if (frame.type === 'user_message') {
      const session = typeof frame.session_id === 'string' ? this.sessions.get(frame.session_id) : undefined;
      const runId = record(data.metadata).run_id;
      if (session !== undefined && typeof runId === 'string')
        this.sessions.set(session.sessionId, { ...session, runId, runs: [...session.runs, runId].slice(-MAX_RUNS) });
    }
  }

  private put(sessionId: unknown, sessionKey: unknown, owner: unknown, agentId: unknown, runId: unknown): boolean {
    if (typeof sessionId !== 'string' || typeof sessionKey !== 'string' || typeof owner !== 'string') return false;
    const run = text(runId);
    this.sessions.delete(sessionId);
    this.sessions.set(sessionId, { sessionId, sessionKey, owner, agentId: text(agentId), runId: run, runs: run === undefined ? [] : [run] });
    if (this.sessions.size > MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value as string);
    return true;
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
