import { estimateHistoryTokens, SAFETY_FACTOR } from '@plexus/context-window';
import type { ContextState, ConversationMessage } from './types.js';

/** A token is at least a byte, and a letter of two bytes is estimated at a quarter of one: a count cannot be further off. */
const MOST_FACTOR = 8;
/** Some endpoints leave out what they had cached: a count of less than this share of the estimate is none. */
const LEAST_SHARE = 0.5;
/** Below this a count says more about the endpoint's own additions than about its tokeniser. */
const ENOUGH_TOKENS = 1_000;

/** Estimated tokens of messages, corrected by what this endpoint counted before. */
export function tokensOf(messages: readonly ConversationMessage[], factor: number): number {
  return Math.ceil(estimateHistoryTokens(messages) * factor);
}

/**
 * Tokens of a whole conversation as the next request would carry it: the endpoint's own count, and estimates only for what came after it.
 * Never below that count, nor below the estimate where there is none.
 */
export function storedTokens(conversation: readonly ConversationMessage[], fixedTokens: number, { counted, tokenFactor }: ContextState): number {
  if (counted === undefined || counted.messages > conversation.length) return tokensOf(conversation, tokenFactor) + fixedTokens;
  const [answer, ...later] = conversation.slice(counted.messages);
  const said =
    answer === undefined ? 0 : answer.role === 'assistant' ? Math.max(counted.answerTokens, tokensOf([answer], tokenFactor)) : tokensOf([answer], tokenFactor);
  return counted.tokens + said + tokensOf(later, tokenFactor);
}

/** The count over the estimate, 1–8: estimates of what is alike are then not below the count. The earlier factor where a count is too small to tell. */
export function factorFrom(countedTokens: number, estimatedTokens: number, earlier: number): number {
  if (estimatedTokens < ENOUGH_TOKENS) return earlier;
  const factor = Math.min(MOST_FACTOR, Math.max(1, countedTokens / estimatedTokens));
  // What is within the error that is allowed for anyway changes nothing.
  return factor <= SAFETY_FACTOR ? 1 : factor;
}

/** True when a count can be one of the whole request. */
export function isCredible(countedTokens: number, estimatedTokens: number): boolean {
  return Number.isFinite(countedTokens) && countedTokens > 0 && countedTokens >= estimatedTokens * LEAST_SHARE;
}

export function transcriptBytes(messages: readonly ConversationMessage[]): number {
  return messages.reduce(
    (sum, { text, toolCalls = [] }) => sum + Buffer.byteLength(text) + toolCalls.reduce((more, call) => more + Buffer.byteLength(call.arguments ?? ''), 0),
    0,
  );
}
