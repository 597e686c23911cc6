import { plexusError } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import { messageAppended, messageInjected } from './outgoing.js';
import type { MessageDraft, RoutingStore, RoutingTransaction, StoredSession, TranscriptMessage } from './ports.js';
import { SessionGroups } from './session-groups.js';

export interface InjectedMessage {
  readonly text: string;
  readonly label?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

interface Injected {
  readonly messageId: string;
  readonly session: StoredSession;
}

/** Messages of the assistant without a run. Those that come for one session at the same time are committed together. */
export class InjectMessages {
  readonly #store: RoutingStore;
  readonly #newId: () => string;
  readonly #groups = new SessionGroups<InjectedMessage, Injected>(
    ({ text }) => text.length,
    (session, messages) => this.#injectAll(session, messages),
  );

  constructor(store: RoutingStore, newId: () => string) {
    this.#store = store;
    this.#newId = newId;
  }

  /** Appends a message and shows it to watchers. Rejects with SESSION_NOT_FOUND, and with CONFLICT for a key that was used for another text. */
  execute({ tenant, owner }: Owner, sessionKey: string, message: InjectedMessage): Promise<Injected> {
    return this.#groups.add(JSON.stringify([tenant, owner, sessionKey]), message);
  }

  /** Does something with the session after the messages that came before, and before those that come later: they stay in the conversation that they were meant for. */
  inTurn<W>({ tenant, owner }: Owner, sessionKey: string, work: () => Promise<W>): Promise<W> {
    return this.#groups.alone(JSON.stringify([tenant, owner, sessionKey]), work);
  }

  #injectAll(address: string, messages: readonly InjectedMessage[]): Promise<readonly (() => Injected)[]> {
    const [tenant, owner, sessionKey] = JSON.parse(address) as [string, string, string];
    return this.#store.transaction(async (tx) => {
      const session = await tx.lockSession({ tenant, owner }, sessionKey);
      if (!session) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
      const drafts: MessageDraft[] = [];
      const results: (() => Injected)[] = [];
      for (const message of messages) {
        const known = await this.#known(tx, session, drafts, message.idempotencyKey);
        if (known === undefined) {
          const draft = { messageId: this.#newId(), role: 'assistant' as const, ...message };
          drafts.push(draft);
          results.push(() => ({ messageId: draft.messageId, session }));
        } else if (known.text === message.text) results.push(() => ({ messageId: known.messageId, session }));
        else results.push(conflict);
      }
      const appended = await tx.appendMessages(session, drafts);
      if (appended.length > 0) await tx.publish(appended.flatMap((one: TranscriptMessage) => [messageAppended(session, one), messageInjected(session, one)]));
      return results;
    });
  }

  /** The message of that key, committed before or earlier in the group. */
  async #known(tx: RoutingTransaction, session: StoredSession, drafts: readonly MessageDraft[], idempotencyKey: string | undefined) {
    if (idempotencyKey === undefined) return undefined;
    return drafts.find((draft) => draft.idempotencyKey === idempotencyKey) ?? tx.findMessageByKey(session, idempotencyKey);
  }
}

function conflict(): never {
  throw plexusError('CONFLICT', { message: 'This idempotency key was used for another message.' });
}
