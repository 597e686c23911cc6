import { sessionKind } from '@plexus/routing-core';
import { mergeEntry } from '../domain/session-entry.js';
import { toTranscriptText } from '../domain/text-limits.js';
import { messageAppended, messageInjected, sessionChanged } from './outgoing.js';
import type { Outgoing, RoutingStore, RoutingTransaction, StoredSession } from './ports.js';
import type { Mirror, StoredSend } from './send-ports.js';

/** Shows outbound messages in the session of their target. Nothing here ever keeps a message from being sent. */
export class MirrorSends {
  constructor(
    private readonly store: RoutingStore,
    private readonly newId: () => string,
    private readonly report: (error: unknown) => void,
  ) {}

  /** Has the session ready before the message arrives. A failure is reported and otherwise ignored: showing it makes another attempt. */
  async prepare(tenant: string, mirror: Mirror): Promise<void> {
    try {
      await this.store.transaction(async (tx) => {
        const { outgoing } = await this.#open(tx, tenant, mirror);
        await tx.publish(outgoing);
      });
    } catch (error) {
      this.report(error);
    }
  }

  /** Appends the message to the transcript, once per send. */
  async show(send: StoredSend): Promise<void> {
    const { mirror, tenant } = send;
    if (!mirror) return;
    await this.store.transaction(async (tx) => {
      const { session, outgoing } = await this.#open(tx, tenant, mirror);
      const idempotencyKey = `mirror:${send.sendId}`;
      if ((await tx.findMessageByKey(session, idempotencyKey)) === undefined) {
        const message = await tx.appendMessage(session, { messageId: this.newId(), role: 'assistant', text: toTranscriptText(mirror.text), idempotencyKey });
        outgoing.push(messageAppended(session, message), messageInjected(session, message));
      }
      await tx.publish(outgoing);
    });
  }

  async #open(tx: RoutingTransaction, tenant: string, mirror: Mirror): Promise<{ session: StoredSession; outgoing: Outgoing[] }> {
    const { owner, sessionKey, agentId, entry } = mirror;
    const { session, created } = await tx.openSession({ tenant, owner, sessionKey, agentId, kind: sessionKind(sessionKey) }, this.newId());
    await tx.setEntry(session, mergeEntry(session.entry, entry));
    return { session, outgoing: created ? [sessionChanged(session, 'created', session.sessionId)] : [] };
  }
}
