import type { TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { composeRunStart } from '../domain/run-start.js';
import { type RunRequest, requestHash } from '../domain/run-request.js';
import { findAgent, type SessionAddress } from '../domain/session-address.js';
import { messageAppended, sessionChanged } from './outgoing.js';
import { isOpen, type Outgoing, type RoutingStore, type RoutingTransaction, type StoredRun, type StoredSession } from './ports.js';
import type { ReleaseNextRun } from './release-next-run.js';

export interface AcceptedMessage {
  readonly run: StoredRun;
  /** `accepted`: this call made the run; otherwise the key was known and its run goes on or is over. */
  readonly status: 'accepted' | 'in_flight' | 'done';
}

/**
 * Takes one message into a session: transcript, run and what is to be published commit together, and only then is it answered.
 * A session has one run on its way; further ones wait (bounded) and follow one by one.
 */
export class AcceptMessage {
  readonly #store: RoutingStore;
  readonly #release: ReleaseNextRun;
  readonly #newId: () => string;
  readonly #queueLimit: number;

  constructor(store: RoutingStore, release: ReleaseNextRun, newId: () => string, queueLimit: number) {
    this.#store = store;
    this.#release = release;
    this.#newId = newId;
    this.#queueLimit = queueLimit;
  }

  /**
   * `runId` is the caller's idempotency key. Rejects with CONFLICT when it was used for another request, with QUEUE_FULL when too many
   * messages wait, with PAYLOAD_TOO_LARGE when no command could carry the message.
   */
  async execute(config: TenantConfig, address: SessionAddress, runId: string | undefined, request: RunRequest): Promise<AcceptedMessage> {
    const id = runId ?? this.#newId();
    const hash = requestHash(address, request);
    const probe = { ...address, ...request, sessionId: '', runId: id };
    composeRunStart(probe, findAgent(config, address.agentId), [], { messages: 0, bytes: 0 });
    return this.#store.transaction(async (tx) => {
      const { session, created } = await tx.openSession(address, this.#newId());
      const { run: known, queued } = await tx.findRunAndQueue(address, id, session.sessionId);
      if (known) return repeated(known, hash);
      if (queued >= this.#queueLimit) throw plexusError('QUEUE_FULL', { details: { sessionKey: session.sessionKey, queued, limit: this.#queueLimit } });
      const outgoing: Outgoing[] = created ? [sessionChanged(session, 'created', session.sessionId)] : [];
      const run = await this.#admit(tx, config, session, { runId: id, hash, request, free: session.activeRunId === undefined && queued === 0 }, outgoing);
      // Never the case as long as every end releases the next run; if it ever is, the next message sets it right.
      if (session.activeRunId === undefined && queued > 0) {
        const waiting = (await tx.openRuns(session.sessionId)).filter((open) => open.status === 'queued');
        outgoing.push(...(await this.#release.execute(tx, config, session, waiting)));
      }
      await tx.publish(outgoing);
      return { run, status: 'accepted' };
    });
  }

  async #admit(
    tx: RoutingTransaction,
    config: TenantConfig,
    session: StoredSession,
    { runId, hash, request, free }: { runId: string; hash: string; request: RunRequest; free: boolean },
    outgoing: Outgoing[],
  ): Promise<StoredRun> {
    const message = await tx.appendMessage(session, { messageId: this.#newId(), role: 'user', text: request.message, runId });
    const { extraSystemPrompt, timeoutMs } = request;
    const run = await tx.insertRun(session, { runId, requestHash: hash, messageSeq: message.seq, extraSystemPrompt, timeoutMs, started: free });
    outgoing.push(messageAppended(session, message));
    if (free) outgoing.push(await this.#release.compose(tx, config, run, request.message));
    return run;
  }
}

function repeated(run: StoredRun, hash: string): AcceptedMessage {
  if (run.requestHash !== hash) {
    throw plexusError('CONFLICT', { message: 'This idempotency key was used for another message.', details: { runId: run.runId } });
  }
  return { run, status: isOpen(run) ? 'in_flight' : 'done' };
}
