import { type ContextMessage, groupsOf } from './message.js';
import { estimateHistoryTokens, estimateMessageTokens, SAFETY_FACTOR } from './token-estimate.js';

/** Room of a summary's request beside the messages: instructions and the summary itself. */
const OVERHEAD_TOKENS = 4_096;
const WHOLE_RATIO = 0.4;
const LEAST_RATIO = 0.15;

/** Share of the window that one request for a summary may fill: less where messages are large. */
export function chunkRatio(messages: readonly ContextMessage[], windowTokens: number): number {
  if (messages.length === 0 || windowTokens <= 0) return WHOLE_RATIO;
  const mean = ((estimateHistoryTokens(messages) / messages.length) * SAFETY_FACTOR) / windowTokens;
  return mean <= 0.1 ? WHOLE_RATIO : Math.max(LEAST_RATIO, WHOLE_RATIO - Math.min(2 * mean, 0.25));
}

/** Most estimated tokens of one chunk, the estimate's error allowed for. At least 1. */
export function chunkLimit(messages: readonly ContextMessage[], windowTokens: number): number {
  const limit = Math.max(1, Math.floor(windowTokens * chunkRatio(messages, windowTokens)) - OVERHEAD_TOKENS);
  return Math.max(1, Math.floor(limit / SAFETY_FACTOR));
}

/** True when a message alone is too large for any summary: it is replaced by a note about its size. */
export function isOversized(message: ContextMessage, windowTokens: number): boolean {
  return estimateMessageTokens(message) * SAFETY_FACTOR > windowTokens * 0.5;
}

/** Chunks of at most `maxTokens`, in order. A group larger than that is a chunk of its own; none is split. */
export function chunksWithin<M extends ContextMessage>(messages: readonly M[], maxTokens: number): M[][] {
  const chunks: M[][] = [];
  let current: M[] = [];
  let tokens = 0;
  for (const group of groupsOf(messages)) {
    const cost = estimateHistoryTokens(group);
    if (current.length > 0 && tokens + cost > maxTokens) {
      chunks.push(current);
      current = [];
      tokens = 0;
    }
    current.push(...group);
    tokens += cost;
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}

/** At most `parts` parts of about the same size in tokens, none empty, no group split. */
export function splitByTokens<M extends ContextMessage>(messages: readonly M[], parts: number): M[][] {
  const groups = groupsOf(messages);
  const wanted = Math.min(Math.max(1, Math.floor(parts)), groups.length);
  const total = estimateHistoryTokens(messages);
  const result: M[][] = [];
  let current: M[] = [];
  let done = 0;
  for (const [index, group] of groups.entries()) {
    current.push(...group);
    done += estimateHistoryTokens(group);
    const left = groups.length - index - 1;
    const missing = wanted - result.length - 1;
    const full = done >= (total * (result.length + 1)) / wanted;
    if (missing > 0 && (full || left === missing) && left >= missing) {
      result.push(current);
      current = [];
    }
  }
  if (current.length > 0) result.push(current);
  return result;
}

export interface Shortened<M> {
  readonly kept: readonly M[];
  /** Oldest first. */
  readonly dropped: readonly M[];
}

/** Drops the older of two equal halves, again and again, until the rest fits; what lost its call goes with it. */
export function dropOldestHalves<M extends ContextMessage>(messages: readonly M[], maxTokens: number): Shortened<M> {
  let kept = [...messages];
  const dropped: M[] = [];
  while (kept.length > 0 && estimateHistoryTokens(kept) > maxTokens) {
    const [oldest = kept, ...rest] = splitByTokens(kept, 2);
    dropped.push(...oldest);
    kept = rest.flat();
  }
  return { kept, dropped };
}
