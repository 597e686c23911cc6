import { type ContextMessage, groupsOf } from '@plexus/context-window';

/** One message of a session, as memory keeps it. */
export interface SessionMessage extends ContextMessage {
  /** From 1, without gaps. */
  readonly seq: number;
  /** Not the owner's or the agent's own words: strangers in a channel, results of tools. */
  readonly untrusted: boolean;
}

export interface MessageRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The last position up to `upto` at which a session may be cut: a tool call stays with its results, and one that still waits for them stays
 * with what is to come. Once the user has spoken again nobody waits any more. `messages` begin at a place where they may be cut.
 */
export function cutAt(messages: readonly SessionMessage[], upto: number): number {
  const first = messages[0];
  if (first === undefined) return 0;
  let end = first.seq - 1;
  const open = firstWaiting(messages);
  for (const group of groupsOf(messages)) {
    const last = group.at(-1) as SessionMessage;
    if (last.seq > upto || (open !== undefined && last.seq >= open)) break;
    end = last.seq;
  }
  return end;
}

/** Position of the first message whose calls may still be answered. */
function firstWaiting(messages: readonly SessionMessage[]): number | undefined {
  const answered = new Set(messages.flatMap(({ toolCallId }) => (toolCallId === undefined ? [] : [toolCallId])));
  const lastUser = messages.findLastIndex(({ role }) => role === 'user');
  return messages.slice(lastUser + 1).find(({ toolCalls }) => toolCalls?.some(({ id }) => !answered.has(id)))?.seq;
}
