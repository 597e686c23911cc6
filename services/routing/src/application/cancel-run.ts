import type { Owner } from '../domain/caller.js';
import { runCancel, runEnded } from './outgoing.js';
import type { Outgoing, RoutingStore, RoutingTransaction, StoredRun, StoredSession } from './ports.js';

/** Cancels open runs: a waiting one ends here and now, a started one is told to stop and ends when its end arrives. */
export class CancelRun {
  readonly #store: RoutingStore;
  readonly #newId: () => string;

  constructor(store: RoutingStore, newId: () => string) {
    this.#store = store;
    this.#newId = newId;
  }

  /** Returns the ids of the runs that were open. Without `runId`: every open run of the session. Unknown sessions and finished runs are no error. */
  async execute(owner: Owner, sessionKey: string, wanted: { runId?: string | undefined; reason: string }): Promise<string[]> {
    return this.#store.transaction(async (tx) => {
      const session = await tx.lockSession(owner, sessionKey);
      if (!session) return [];
      const runs = (await tx.openRuns(session.sessionId)).filter((run) => wanted.runId === undefined || run.runId === wanted.runId);
      await tx.publish(await cancelRuns(tx, session, runs, wanted.reason, this.#newId));
      return runs.map((run) => run.runId);
    });
  }
}

/** A waiting run ends, a started one is told to stop. */
export async function cancelRuns(
  tx: RoutingTransaction,
  session: StoredSession,
  open: readonly StoredRun[],
  reason: string,
  newId: () => string,
): Promise<Outgoing[]> {
  const outgoing: Outgoing[] = [];
  for (const run of open) {
    if (run.status === 'queued') outgoing.push(...(await endCancelled(tx, session, run, reason)));
    else outgoing.push(runCancel(run, reason, newId()));
  }
  return outgoing;
}

/** Ends a run that is not to go on, and says so in the session's stream. */
export async function endCancelled(tx: RoutingTransaction, session: StoredSession, run: StoredRun, reason: string): Promise<Outgoing[]> {
  await tx.endRun(session, run, { status: 'cancelled', text: '' });
  return [runEnded(run, { type: 'execution_complete', cancelled: true, reason })];
}
