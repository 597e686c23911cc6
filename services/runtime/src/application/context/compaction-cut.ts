import { estimateHistoryTokens, estimateMessageTokens, groupsOf } from '@plexus/context-window';
import type { ConversationMessage } from './types.js';

/** Stays in its own words behind the summary, at most; a quarter of a small window. */
const KEEP_TOKENS = 20_000;
const KEEP_SHARE = 0.25;

export interface Cut {
  /** Summary of what was before, without its introduction. */
  readonly previousSummary?: string;
  /** Whole turns that become the summary. */
  readonly history: readonly ConversationMessage[];
  /** Beginning of the turn whose rest stays. */
  readonly turnPrefix: readonly ConversationMessage[];
  /** The question of the running turn when that is cut in two: stays in its own words as well, unless it is too large. */
  readonly question?: ConversationMessage;
  /** What stays, the very same objects. */
  readonly kept: readonly ConversationMessage[];
}

/** Most tokens of the newest messages that a compaction leaves alone. `attempt` counts from 0; each further one keeps half. */
export function keptTokens(windowTokens: number, attempt: number): number {
  return Math.floor(Math.min(KEEP_TOKENS, windowTokens * KEEP_SHARE) / 2 ** attempt);
}

/**
 * Divides a conversation into what is summarised and what stays. A call is never parted from its results. With `keepLast` the newest group
 * stays however large it is: it is the message to be answered, or results that the model is waiting for.
 */
export function cutForCompaction(conversation: readonly ConversationMessage[], maxTokens: number, maxQuestionTokens: number, keepLast: boolean): Cut {
  const [first, ...rest] = conversation;
  const summary = first?.summary === true ? first : undefined;
  const groups = groupsOf(summary === undefined ? conversation : rest);
  let from = groups.length;
  for (let room = maxTokens; from > 0; from -= 1) {
    const cost = estimateHistoryTokens(groups[from - 1] ?? []);
    if (cost > room && !(keepLast && from === groups.length)) break;
    room -= cost;
  }
  const older = groups.slice(0, from).flat();
  const kept = groups.slice(from).flat();
  // What stays may begin in the middle of a turn; its beginning is then told apart.
  const turnStart = kept[0] === undefined || kept[0].role === 'user' ? older.length : older.findLastIndex(({ role }) => role === 'user');
  const at = turnStart < 0 ? older.length : turnStart;
  const question = older[at];
  const isRunning = keepLast && kept.length > 0 && kept.every(({ role }) => role !== 'user');
  const staysWhole = isRunning && question !== undefined && estimateMessageTokens(question) <= maxQuestionTokens;
  return {
    ...(summary !== undefined && { previousSummary: summaryText(summary) }),
    history: older.slice(0, at),
    turnPrefix: older.slice(at),
    ...(staysWhole && { question }),
    kept,
  };
}

const INTRODUCTION = 'Summary of the conversation before this point. It stands for messages that are no longer shown; it is no new request.\n\n';

/** The message that stands for what was summarised. */
export function summaryMessage(text: string): ConversationMessage {
  return { role: 'user', text: `${INTRODUCTION}${text}`, summary: true };
}

function summaryText({ text }: ConversationMessage): string {
  return text.startsWith(INTRODUCTION) ? text.slice(INTRODUCTION.length) : text;
}
