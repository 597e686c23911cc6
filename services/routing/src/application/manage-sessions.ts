import { plexusError } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { SessionAddress } from '../domain/session-address.js';
import { endCancelled } from './cancel-run.js';
import { runCancel, sessionChanged } from './outgoing.js';
import type { Outgoing, RoutingStore, StoredSession } from './ports.js';

/** Does something with a session in the order in which messages for it and this came. */
export type InTurn = <W>(owner: Owner, sessionKey: string, work: () => Promise<W>) => Promise<W>;

/** Everything that changes a session without a run. What ends a conversation takes its turn behind the messages that were meant for it. */
export class ManageSessions {
  readonly #store: RoutingStore;
  readonly #newId: () => string;
  readonly #inTurn: InTurn;

  constructor(store: RoutingStore, newId: () => string, inTurn: InTurn) {
    this.#store = store;
    this.#newId = newId;
    this.#inTurn = inTurn;
  }

  /** Creates the session, or returns the one that exists; a label that is given is set either way. */
  async create(address: SessionAddress, label?: string): Promise<{ session: StoredSession; created: boolean }> {
    return this.#store.transaction(async (tx) => {
      const { session, created } = await tx.openSession(address, this.#newId(), label);
      if (created) await tx.publish([sessionChanged(session, 'created', session.sessionId)]);
      if (created || label === undefined || label === session.label) return { session, created };
      await tx.setLabel(session, label);
      await tx.publish([sessionChanged(session, 'updated', this.#newId())]);
      return { session: { ...session, label }, created };
    });
  }

  /** Changes label or display name; null removes one. Rejects with SESSION_NOT_FOUND. */
  async patch(owner: Owner, sessionKey: string, patch: { label?: string | null | undefined; displayName?: string | null | undefined }): Promise<StoredSession> {
    return this.#store.transaction(async (tx) => {
      const session = await tx.lockSession(owner, sessionKey);
      if (!session) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
      if (patch.label !== undefined) await tx.setLabel(session, patch.label);
      if (patch.displayName !== undefined) {
        const { displayName: _removed, ...rest } = session.entry;
        await tx.setEntry(session, patch.displayName === null ? rest : { ...rest, displayName: patch.displayName });
      }
      await tx.publish([sessionChanged(session, 'updated', this.#newId())]);
      return (await tx.lockSession(owner, sessionKey)) ?? session;
    });
  }

  /** Removes the session with its transcripts and runs; what still runs is told to stop. Undefined when there is none. */
  delete(owner: Owner, sessionKey: string): Promise<StoredSession | undefined> {
    return this.#inTurn(owner, sessionKey, () => this.#delete(owner, sessionKey));
  }

  #delete(owner: Owner, sessionKey: string): Promise<StoredSession | undefined> {
    return this.#store.transaction(async (tx) => {
      const session = await tx.lockSession(owner, sessionKey);
      if (!session) return undefined;
      const outgoing: Outgoing[] = [];
      for (const run of await tx.openRuns(session.sessionId)) {
        if (run.status === 'started') outgoing.push(runCancel(run, 'deleted', this.#newId()));
        outgoing.push(...(await endCancelled(tx, session, run, 'deleted')));
      }
      await tx.deleteSession(session);
      outgoing.push(sessionChanged(session, 'deleted', session.sessionId));
      await tx.publish(outgoing);
      return session;
    });
  }

  /**
   * Starts a new incarnation. Runs of the old one end as cancelled: what they still produce belongs to a conversation that is over.
   * Rejects with SESSION_NOT_FOUND.
   */
  reset(owner: Owner, sessionKey: string): Promise<{ session: StoredSession; previousSessionId: string }> {
    return this.#inTurn(owner, sessionKey, () => this.#reset(owner, sessionKey));
  }

  #reset(owner: Owner, sessionKey: string): Promise<{ session: StoredSession; previousSessionId: string }> {
    return this.#store.transaction(async (tx) => {
      const before = await tx.lockSession(owner, sessionKey);
      if (!before) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
      const outgoing: Outgoing[] = [];
      for (const run of await tx.openRuns(before.sessionId)) {
        if (run.status === 'started') outgoing.push(runCancel(run, 'reset', this.#newId()));
        outgoing.push(...(await endCancelled(tx, before, run, 'reset')));
      }
      const session = await tx.renewSession(before, this.#newId());
      outgoing.push(sessionChanged(session, 'reset', session.sessionId, { previousSessionId: before.sessionId }));
      await tx.publish(outgoing);
      return { session, previousSessionId: before.sessionId };
    });
  }
}
