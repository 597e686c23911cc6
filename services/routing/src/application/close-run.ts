import type { TenantConfig } from '@plexus/agent-config';
import { toTranscriptText } from '../domain/text-limits.js';
import { waitingRuns } from './accept-message.js';
import type { AnswerChannel } from './answer-channel.js';
import { messageAppended, runEnded } from './outgoing.js';
import {
  isOpen,
  type Outgoing,
  type RoutingStore,
  type RoutingTransaction,
  type RunReading,
  type SessionEvents,
  type StoredRun,
  type StoredSession,
} from './ports.js';
import type { ReleaseNextRun } from './release-next-run.js';

/** What became of an end. */
export type Closing = 'closed' | 'unknown-run' | 'already-closed' | 'not-an-end' | 'not-yet-readable';

type End = NonNullable<RunReading['end']>['end'];

/**
 * Closes a run at its first end in stream order, whichever of its ends happens to be delivered first: the session's events are read back
 * from the stream up to the delivered one. Appends the answer once, sends it to the channel that the message came from, releases the next
 * waiting run. Every step may be repeated.
 */
export class CloseRun {
  readonly #store: RoutingStore;
  readonly #events: SessionEvents;
  readonly #release: ReleaseNextRun;
  readonly #answers: AnswerChannel;
  readonly #configOf: (tenant: string) => TenantConfig | undefined;
  readonly #newId: () => string;

  constructor(
    store: RoutingStore,
    events: SessionEvents,
    release: ReleaseNextRun,
    answers: AnswerChannel,
    configOf: (tenant: string) => TenantConfig | undefined,
    newId: () => string,
  ) {
    this.#store = store;
    this.#events = events;
    this.#release = release;
    this.#answers = answers;
    this.#configOf = configOf;
    this.#newId = newId;
  }

  /** `seq`: stream sequence of the end that was delivered. */
  async execute(delivered: { tenant: string; sessionId: string; runId: string; seq: number }): Promise<{ outcome: Closing; run?: StoredRun }> {
    const found = await this.#store.findRunInSession(delivered.tenant, delivered.sessionId, delivered.runId);
    if (!found) return { outcome: 'unknown-run' };
    const { run, position } = found;
    // Without a position the session has a new incarnation, and that closed the run.
    if (!isOpen(run) || position === undefined) return { outcome: 'already-closed', run };
    const { end, tookAlong = [], behind } = await this.#events.readRun(run, position, delivered.seq);
    if (behind) return { outcome: 'not-yet-readable', run };
    if (!end) return { outcome: 'not-an-end', run };
    return this.#close(run, end, tookAlong);
  }

  async #close(
    candidate: StoredRun,
    { end, position }: NonNullable<RunReading['end']>,
    tookAlong: readonly string[],
  ): Promise<{ outcome: Closing; run: StoredRun }> {
    const closed = await this.#store.transaction(async (tx) => {
      const session = await tx.lockSessionByRef(candidate.sessionRef);
      const run = await tx.findRun(candidate.id);
      if (!session || !run || !isOpen(run) || session.sessionId !== run.sessionId) return { outcome: 'already-closed' as const, run: run ?? candidate };
      const outgoing: Outgoing[] = [];
      const text = toTranscriptText(end.text);
      // What was streamed before an error stays in the stream; in a transcript it would read like an answer.
      if (text !== '' && (end.status === 'ok' || end.status === 'cancelled')) {
        const message = await tx.appendMessage(session, { messageId: this.#newId(), role: 'assistant', text, runId: run.runId });
        outgoing.push(messageAppended(session, message));
      }
      if (tookAlong.length > 0 && session.activeRunId === run.runId) await mergeTaken(tx, session, run, tookAlong);
      await tx.endRun(session, run, { ...end, text });
      await tx.movePosition(session, position);
      if (end.status === 'ok') await this.#answers.queue(tx, run, text);
      outgoing.push(...(await this.#endMerged(tx, session, run, { ...end, text })));
      if (session.activeRunId === undefined || session.activeRunId === run.runId) {
        outgoing.push(...(await this.#release.execute(tx, this.#configOf(run.tenant), session, await waitingRuns(tx, session))));
      }
      await tx.publish(outgoing);
      return { outcome: 'closed' as const, run: { ...run, status: end.status } };
    });
    this.#answers.hurry();
    return closed;
  }

  /** Runs whose messages this one took along have the same answer; those who wait for one of them hear it. */
  async #endMerged(tx: RoutingTransaction, session: StoredSession, leader: StoredRun, end: End): Promise<Outgoing[]> {
    const merged = (await tx.openRuns(session.sessionId)).filter((run) => run.mergedInto === leader.runId);
    const outgoing: Outgoing[] = [];
    for (const run of merged) {
      await tx.endRun(session, run, end);
      outgoing.push(
        runEnded(
          run,
          end.status === 'ok'
            ? { type: 'execution_complete', content: end.text, mergedInto: leader.runId }
            : end.status === 'cancelled'
              ? { type: 'execution_complete', cancelled: true, reason: 'merged run cancelled', mergedInto: leader.runId }
              : { type: 'execution_error', code: end.error?.code ?? 'INTERNAL', error: end.error?.message ?? 'The run failed.' },
        ),
      );
    }
    return outgoing;
  }
}

/**
 * Merges what the run said that it took along, also when its end is consumed before its words about that: several consume the stream at the same
 * time. Whoever waited with such a message would otherwise be answered twice.
 */
async function mergeTaken(tx: RoutingTransaction, session: StoredSession, leader: StoredRun, tookAlong: readonly string[]): Promise<void> {
  const waiting = await waitingRuns(tx, session);
  const taken = waiting.filter((run) => run.queueMode === 'steer' && run.mergedInto === undefined && tookAlong.includes(run.runId));
  if (taken.length > 0) await tx.mergeRuns(leader, taken);
}
