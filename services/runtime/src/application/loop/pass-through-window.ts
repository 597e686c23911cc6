import { windowFor } from '@plexus/context-window';
import type { ContextPort, ContextState, ConversationMessage, Prepared } from '../context/index.js';

/** A window that everything fits into: for conversations without a model, which nobody reads. */
export class PassThroughWindow implements ContextPort {
  readonly window = windowFor();

  async prepare(conversation: readonly ConversationMessage[], newMessage: ConversationMessage | undefined): Promise<Prepared> {
    const all = newMessage ? [...conversation, newMessage] : conversation;
    return { messages: all, conversation: all, notes: [] };
  }

  useModel(): void {}

  noteUsage(): void {}

  async onOverflow(): Promise<Prepared | undefined> {
    return undefined;
  }

  state(): ContextState {
    return { compactions: 0, flushedAt: null, tokenFactor: 1 };
  }
}
