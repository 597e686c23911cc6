import { groupsOf } from '@plexus/context-window';
import { tokensOf } from './token-count.js';
import type { ConversationMessage } from './types.js';

export interface FittedRequest {
  readonly messages: readonly ConversationMessage[];
  /** Messages that did not go along. */
  readonly leftOut: number;
  /** Results of tools that went along shortened. */
  readonly shortened: number;
}

/** A result of a tool is not cut below this many characters. */
const LEAST_RESULT_CHARS = 1_000;
const ROUNDS = 12;

/**
 * Chooses what of a conversation goes into one request of at most `maxTokens`, when it could not be compacted: the oldest groups go first,
 * then results of tools are shortened. The summary, the message that is being answered and the newest group stay; a call stays with its
 * results, and what a person wrote is never cut. Undefined: even that does not fit.
 */
export function fitRequest(messages: readonly ConversationMessage[], maxTokens: number, factor: number): FittedRequest | undefined {
  const whole = tokensOf(messages, factor);
  if (whole <= maxTokens) return { messages, leftOut: 0, shortened: 0 };
  const groups = groupsOf(messages);
  const question = messages.findLast(({ role, summary }) => role === 'user' && summary !== true);
  const isPinned = (group: readonly ConversationMessage[], index: number) =>
    index === groups.length - 1 || group.some((message) => message.summary === true || message === question);
  const dropped = new Set<number>();
  let tokens = whole;
  for (const [index, group] of groups.entries()) {
    if (tokens <= maxTokens) break;
    if (isPinned(group, index)) continue;
    dropped.add(index);
    tokens -= tokensOf(group, factor);
  }
  // An answer whose question is gone explains nothing, and some endpoints refuse a conversation that begins with one.
  for (const [index, group] of groups.entries()) {
    if (dropped.has(index)) continue;
    if (isPinned(group, index) || group[0]?.role === 'user') break;
    dropped.add(index);
  }
  const kept = groups.filter((_, index) => !dropped.has(index)).flat();
  const leftOut = messages.length - kept.length;
  if (tokensOf(kept, factor) <= maxTokens) return { messages: kept, leftOut, shortened: 0 };
  return shortenResults(kept, maxTokens, factor, leftOut);
}

/** Cuts the longest results, again and again, until all fit or none can give more. */
function shortenResults(kept: readonly ConversationMessage[], maxTokens: number, factor: number, leftOut: number): FittedRequest | undefined {
  let limit = Math.max(0, ...kept.filter(({ role }) => role === 'tool').map(({ text }) => text.length));
  for (let round = 0; round < ROUNDS && limit > LEAST_RESULT_CHARS; round += 1) {
    limit = Math.max(LEAST_RESULT_CHARS, Math.floor(limit / 2));
    const messages = kept.map((message) => (message.role === 'tool' && message.text.length > limit ? shortened(message, limit) : message));
    if (tokensOf(messages, factor) <= maxTokens) return { messages, leftOut, shortened: messages.filter((message, index) => message !== kept[index]).length };
  }
  return undefined;
}

function shortened(message: ConversationMessage, limit: number): ConversationMessage {
  const half = Math.floor((limit - 100) / 2);
  const head = message.text.slice(0, half).replace(/[\ud800-\udbff]$/, '');
  const tail = message.text.slice(-half).replace(/^[\udc00-\udfff]/, '');
  return { ...message, images: 0, text: `${head}\n…\n[Shortened: ${message.text.length} characters.]\n…\n${tail}` };
}
