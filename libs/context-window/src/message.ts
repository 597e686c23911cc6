/** One message of a conversation, as far as its room in the window is concerned. */
export interface ContextMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  /** Pictures in it. */
  readonly images?: number;
  /** Calls that an assistant message makes; each is answered by a tool message with the same id. */
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly arguments?: string }[];
  /** The call that a tool message answers, and the tool's name. */
  readonly toolCallId?: string;
  readonly toolName?: string;
  /** The tool says that it failed. */
  readonly toolFailed?: boolean;
  /** Kept for people and the runtime (progress notes, receipts): never sent to a model, never summarised. */
  readonly runtimeOnly?: boolean;
}

/**
 * Groups a history so that a tool call and its results stay together: a group is an assistant message that calls tools with everything up
 * to its last result, or any other single message. Calls without a result and results without a call are groups of one.
 */
export function groupsOf<M extends ContextMessage>(messages: readonly M[]): M[][] {
  const lastResultOf = new Map<string, number>();
  for (const [index, { toolCallId }] of messages.entries()) if (toolCallId !== undefined) lastResultOf.set(toolCallId, index);
  const groups: M[][] = [];
  for (let start = 0; start < messages.length; ) {
    let end = start;
    // What lies between may make calls of its own, whose results then belong here as well.
    for (let index = start; index <= end; index += 1) {
      for (const { id } of messages[index]?.toolCalls ?? []) end = Math.max(end, lastResultOf.get(id) ?? index);
    }
    groups.push(messages.slice(start, end + 1));
    start = end + 1;
  }
  return groups;
}

/** Leaves out results whose call is gone and marks nothing else: an endpoint refuses a result that answers no call. */
export function withoutOrphanedResults<M extends ContextMessage>(messages: readonly M[]): M[] {
  const called = new Set<string>();
  return messages.filter(({ toolCalls, toolCallId }) => {
    for (const { id } of toolCalls ?? []) called.add(id);
    return toolCallId === undefined || called.has(toolCallId);
  });
}
