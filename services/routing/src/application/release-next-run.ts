import type { TenantConfig } from '@plexus/agent-config';
import { PlexusError } from '@plexus/kernel';
import { composeRunStart, type HistoryLimits } from '../domain/run-start.js';
import { findAgent } from '../domain/session-address.js';
import { runEnded, runStart } from './outgoing.js';
import type { Outgoing, RoutingTransaction, StoredRun, StoredSession } from './ports.js';

/**
 * Hands out the oldest waiting run of a session that is free; with the session locked, so that there is never more than one on its way.
 * A run that can no longer be composed (the agent's prompt has grown too large meanwhile) ends there and the next one gets its turn.
 */
export class ReleaseNextRun {
  readonly #limits: HistoryLimits;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** Starts the next run of `waiting` (oldest first) and returns what is to be published. */
  async execute(tx: RoutingTransaction, config: TenantConfig | undefined, session: StoredSession, waiting: readonly StoredRun[]): Promise<Outgoing[]> {
    const outgoing: Outgoing[] = [];
    for (const run of waiting) {
      try {
        const start = await this.compose(tx, config, run, await tx.messageText(run.sessionId, run.messageSeq));
        await tx.startRun(session, run);
        return [...outgoing, start];
      } catch (error) {
        if (!PlexusError.isPlexusError(error) || error.code !== 'PAYLOAD_TOO_LARGE') throw error;
        const failure = { code: error.code, message: error.message };
        await tx.endRun(session, run, { status: 'error', text: '', error: failure });
        outgoing.push(runEnded(run, { type: 'execution_error', code: failure.code, error: failure.message }));
      }
    }
    return outgoing;
  }

  /** Throws PAYLOAD_TOO_LARGE. */
  async compose(tx: RoutingTransaction, config: TenantConfig | undefined, run: Omit<StoredRun, 'requestHash'>, message: string): Promise<Outgoing> {
    const history = await tx.history(run.sessionId, run.messageSeq, this.#limits);
    return runStart(run, composeRunStart({ ...run, message }, config && findAgent(config, run.agentId), history, this.#limits));
  }
}
