import { toChannelText } from '../domain/channel-limits.js';
import { ANSWER_DEADLINE_MS } from '../domain/delivery-plan.js';
import type { RoutingTransaction, StoredRun } from './ports.js';

/** Sends an agent's answer to where the message came from. */
export class AnswerChannel {
  readonly #newId: () => string;
  readonly #now: () => number;
  readonly #hurry: () => void;

  constructor(newId: () => string, now: () => number, hurry: () => void) {
    this.#newId = newId;
    this.#now = now;
    this.#hurry = hurry;
  }

  /** Stores the intent in the transaction that closes the run. Nothing for runs of clients, and nothing when the agent said nothing. */
  async queue(tx: RoutingTransaction, run: StoredRun, text: string): Promise<void> {
    if (run.replyRoute === undefined || text.trim() === '') return;
    const { tenant, owner, runId, sessionKey, configRevision } = run;
    await tx.sends.insert({
      ...{ tenant, owner, runId, sessionKey, configRevision, text: toChannelText(text) },
      sendId: this.#newId(),
      idempotencyKey: `answer:${run.sessionId}:${runId}`,
      requestHash: '',
      origin: 'answer',
      route: run.replyRoute,
      pinned: false,
      attachments: [],
      deadlineAt: new Date(this.#now() + ANSWER_DEADLINE_MS),
    });
  }

  /** After the commit: the delivery need not wait for its next round. */
  hurry(): void {
    this.#hurry();
  }
}
