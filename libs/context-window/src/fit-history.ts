import { estimateMessageTokens } from './token-estimate.js';
import type { Window } from './window.js';

export interface FittedHistory<M> {
  /** The newest messages that fit, oldest first. */
  readonly messages: readonly M[];
  /** How many older ones were left out. */
  readonly dropped: number;
}

/**
 * Chooses how much of a conversation goes to the model: the newest messages that fit into what the window leaves beside the reserve for
 * the answer and `fixedTokens` (system prompt and new message). Never skips a message in the middle, and never begins with an answer
 * whose question is gone.
 */
export function fitHistory<M extends { readonly role: string; readonly text: string }>(
  history: readonly M[],
  window: Pick<Window, 'tokens' | 'reserveTokens'>,
  fixedTokens: number,
): FittedHistory<M> {
  let room = window.tokens - window.reserveTokens - fixedTokens;
  let start = history.length;
  while (start > 0) {
    const cost = estimateMessageTokens(history[start - 1] as M);
    if (cost > room) break;
    room -= cost;
    start--;
  }
  if (start > 0) while (start < history.length && (history[start] as M).role !== 'user') start++;
  return { messages: history.slice(start), dropped: start };
}
