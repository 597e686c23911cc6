import { isDeepStrictEqual } from 'node:util';
import type { DataOf, ResponseOf, routingContracts } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { SessionAddress } from '../domain/session-address.js';
import { mergeEntry, type SessionEntry } from '../domain/session-entry.js';
import { sessionChanged } from './outgoing.js';
import type { RoutingStore, RoutingTransaction, StoredSession } from './ports.js';

type Conversation = DataOf<typeof routingContracts.importSession>;
type Imported = ResponseOf<typeof routingContracts.importSession>;

/** Keys of imported messages are apart from those that callers choose. */
const keyOf = (id: string): string => `import:${id}`;

/** Takes over conversations that were held elsewhere. */
export class ImportSession {
  constructor(
    private readonly store: RoutingStore,
    private readonly newId: () => string,
  ) {}

  /**
   * Creates the session if there is none, and appends the messages it does not have yet, each with its own time. Watchers hear once that the session
   * changed: the messages themselves are no news, and nobody is to be notified of what was said months ago.
   */
  execute(address: SessionAddress, conversation: Conversation): Promise<Imported> {
    return this.store.transaction(async (tx) => {
      const { session, created } = await tx.openSession(address, this.newId(), conversation.label);
      const fresh = await unknownMessages(tx, session, conversation);
      for (const { id, role, text, at } of fresh) {
        await tx.appendMessage(session, { messageId: this.newId(), role, text, at: new Date(at), idempotencyKey: keyOf(id) });
      }
      const entry = entryAfter(session.entry, conversation);
      const told = !isDeepStrictEqual(entry, session.entry);
      if (told) await tx.setEntry(session, entry);
      if (created) await tx.publish([sessionChanged(session, 'created', session.sessionId)]);
      else if (told || fresh.length > 0) await tx.publish([sessionChanged(session, 'updated', this.newId())]);
      return answer(address.sessionKey, created ? undefined : session, conversation, fresh.length);
    });
  }

  /** What {@link execute} would do. */
  preview(owner: Owner, sessionKey: string, conversation: Conversation): Promise<Imported> {
    return this.store.transaction(async (tx) => {
      const session = await tx.lockSession(owner, sessionKey);
      const fresh = session === undefined ? distinct(conversation.messages) : await unknownMessages(tx, session, conversation);
      return answer(sessionKey, session, conversation, fresh.length);
    });
  }
}

function answer(sessionKey: string, session: StoredSession | undefined, { messages }: Conversation, appended: number): Imported {
  return { sessionKey, created: session === undefined, appended, known: messages.length - appended, before: session?.messageCount ?? 0 };
}

async function unknownMessages(tx: RoutingTransaction, session: StoredSession, { messages }: Conversation): Promise<Conversation['messages']> {
  if (messages.length === 0) return [];
  const known = await tx.knownMessageKeys(
    session,
    messages.map(({ id }) => keyOf(id)),
  );
  return distinct(messages).filter(({ id }) => !known.has(keyOf(id)));
}

function distinct(messages: Conversation['messages']): Conversation['messages'] {
  const seen = new Set<string>();
  return messages.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** What the session knows itself is newer than what was known elsewhere. */
function entryAfter(own: SessionEntry, { displayName, chatType, channel, groupId, threadId, origin, lastRoute }: Conversation): SessionEntry {
  return mergeEntry(mergeEntry({}, { displayName, chatType, channel, groupId, threadId, origin, lastRoute }), own);
}
