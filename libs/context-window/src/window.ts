/** Window of a model of which nothing else is known, in tokens. */
export const DEFAULT_WINDOW_TOKENS = 200_000;
/** Below this a conversation works badly: worth a warning. */
export const WARN_BELOW_TOKENS = 32_000;
/** Below this nothing useful fits: refuse. */
export const REFUSE_BELOW_TOKENS = 16_000;
/** Room that is kept free for the answer at least, before it is clamped to half of the window. */
export const RESERVE_FLOOR_TOKENS = 20_000;
const MAX_RESERVE_SHARE = 0.5;

export interface WindowSources {
  /** Configured for this model. */
  readonly configuredTokens?: number;
  /** What the endpoint says about the model. */
  readonly reportedTokens?: number;
  /** What the model itself is known to take. */
  readonly modelTokens?: number;
  /** Limit of the agent; it can only lower the window. */
  readonly agentTokens?: number;
  /** Room wished for the answer; it can only raise the floor. */
  readonly reserveTokens?: number;
}

export interface Window {
  readonly tokens: number;
  /** Kept free for the answer. */
  readonly reserveTokens: number;
  readonly verdict: 'ok' | 'small' | 'too-small';
}

const known = (tokens: number | undefined): tokens is number => tokens !== undefined && Number.isFinite(tokens) && tokens > 0;

/** The smallest known real limit, else the default; what an agent sets can only lower it. `reserveTokens` never exceeds half of it. */
export function windowFor(sources: WindowSources = {}): Window {
  const real = [sources.configuredTokens, sources.reportedTokens, sources.modelTokens].filter(known);
  const ofModel = real.length > 0 ? Math.min(...real) : DEFAULT_WINDOW_TOKENS;
  const tokens = Math.floor(known(sources.agentTokens) ? Math.min(ofModel, sources.agentTokens) : ofModel);
  const wished = Math.max(RESERVE_FLOOR_TOKENS, known(sources.reserveTokens) ? Math.ceil(sources.reserveTokens) : 0);
  // Without the clamp a small window, or an odd setting, would leave a threshold of nothing: no flush, no compaction, ever.
  const reserveTokens = Math.min(wished, Math.floor(tokens * MAX_RESERVE_SHARE));
  const verdict = tokens < REFUSE_BELOW_TOKENS ? 'too-small' : tokens < WARN_BELOW_TOKENS ? 'small' : 'ok';
  return { tokens, reserveTokens, verdict };
}
