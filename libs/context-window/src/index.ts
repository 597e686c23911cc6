export { chunkLimit, chunkRatio, chunksWithin, dropOldestHalves, isOversized, type Shortened, splitByTokens } from './chunk.js';
export {
  COMPACTION_DEFAULTS,
  type Compaction,
  type CompactionInput,
  type CompactionSettings,
  type CompactionTools,
  compact,
  type Summarise,
} from './compaction.js';
export { type FittedHistory, fitHistory } from './fit-history.js';
export { hasRealContent, type Keepsakes, keepsakesOf, missingFrom, SUMMARY_HEADINGS } from './keepsakes.js';
export {
  type CompactionState,
  compactionThreshold,
  FLUSH_DEFAULTS,
  type FlushSettings,
  flushPrompts,
  flushThreshold,
  NEW_COMPACTION_STATE,
  SILENT_REPLY,
  shouldFlush,
  stepsBeforeTurn,
  TurnCompactions,
  type TurnLoad,
  type TurnStep,
} from './memory-flush.js';
export { type ContextMessage, groupsOf, withoutOrphanedResults } from './message.js';
export { CLEARED_RESULT, PRUNE_DEFAULTS, type Pruned, type PruneOccasion, type PruneSettings, pruneToolResults } from './prune.js';
export {
  CHARS_PER_TOKEN,
  charsOf,
  estimateHistoryTokens,
  estimateMessageTokens,
  estimateTokens,
  IMAGE_CHARS,
  MESSAGE_OVERHEAD_TOKENS,
  SAFETY_FACTOR,
} from './token-estimate.js';
export { DEFAULT_WINDOW_TOKENS, REFUSE_BELOW_TOKENS, RESERVE_FLOOR_TOKENS, WARN_BELOW_TOKENS, type Window, type WindowSources, windowFor } from './window.js';
