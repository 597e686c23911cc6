import { NEW_COMPACTION_STATE, REFUSE_BELOW_TOKENS } from '@plexus/context-window';
import { z } from 'zod';
import type { ContextState } from './types.js';

const Count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Stored = z.object({
  compactions: Count,
  flushedAt: Count.nullable(),
  lastCacheTouchMs: z.number().optional(),
  counted: z.object({ tokens: Count, answerTokens: Count, messages: Count }).optional(),
  tokenFactor: z.number().min(1).max(8).default(1),
  modelId: z.string().max(256).optional(),
  learnedTokens: Count.optional(),
  futileAtTokens: Count.optional(),
});

export function newContextState(): ContextState {
  // Never flushed is null: zero would say that the first cycle has had its flush.
  return { ...NEW_COMPACTION_STATE, tokenFactor: 1 };
}

/** Reads what was kept; undefined when it is no state of a context. */
export function readContextState(value: unknown): ContextState | undefined {
  const read = Stored.safeParse(value);
  return read.success ? (JSON.parse(JSON.stringify(read.data)) as ContextState) : undefined;
}

/**
 * The limit after an endpoint refused the length: what it names, else what was sent, which is then too much. The latter is a guess and never
 * makes a window too small to work with. Never above the limit that was known before.
 */
export function learnedLimit(before: number | undefined, named: number | undefined, sentTokens: number): number {
  return Math.min(before ?? Number.POSITIVE_INFINITY, named ?? Math.max(REFUSE_BELOW_TOKENS, sentTokens));
}
