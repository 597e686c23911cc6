export { type FittedHistory, fitHistory } from './fit-history.js';
export { CHARS_PER_TOKEN, estimateMessageTokens, estimateTokens, MESSAGE_OVERHEAD_TOKENS } from './token-estimate.js';
export { DEFAULT_WINDOW_TOKENS, REFUSE_BELOW_TOKENS, RESERVE_FLOOR_TOKENS, WARN_BELOW_TOKENS, type Window, type WindowSources, windowFor } from './window.js';
