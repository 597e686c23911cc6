import type { Window } from './window.js';

/** A transcript of this size is flushed whatever its tokens; 0 disables. */
export const FLUSH_TRANSCRIPT_BYTES = 2 * 1024 * 1024;
/** The flush comes this many tokens before the compaction. */
export const SOFT_TOKENS = 4_000;
/** A compaction that frees less than this share is not repeated within the same turn. */
export const MIN_FREED_SHARE = 0.05;

export interface FlushSettings {
  readonly enabled: boolean;
  readonly softTokens: number;
  readonly transcriptBytes: number;
}

export const FLUSH_DEFAULTS: FlushSettings = { enabled: true, softTokens: SOFT_TOKENS, transcriptBytes: FLUSH_TRANSCRIPT_BYTES };

/** Tokens at which memories are flushed: 176 000 of a window of 200 000. 0: there is no room for it. */
export function flushThreshold(window: Pick<Window, 'tokens' | 'reserveTokens'>, softTokens = SOFT_TOKENS): number {
  return Math.max(0, window.tokens - window.reserveTokens - softTokens);
}

/** Tokens at which the history is compacted. The same reserve as for the flush, so the flush always comes first. */
export function compactionThreshold(window: Pick<Window, 'tokens' | 'reserveTokens'>): number {
  return Math.max(0, window.tokens - window.reserveTokens);
}

/** What is remembered of a session between turns. */
export interface CompactionState {
  /** Compactions that this session has had. */
  readonly compactions: number;
  /** Value of `compactions` when memories were last flushed; null: never. */
  readonly flushedAt: number | null;
}

export const NEW_COMPACTION_STATE: CompactionState = { compactions: 0, flushedAt: null };

/** What the next turn would send. */
export interface TurnLoad {
  /** Tokens of the stored history, as the endpoint last counted them or estimated. */
  readonly storedTokens: number;
  /** Estimate of the message that is about to be added. */
  readonly newTokens: number;
  readonly transcriptBytes: number;
}

export type TurnStep = 'flush' | 'compact';

/** True when memories are to be flushed before this turn: the threshold or the transcript's size is reached and this cycle had no flush. */
export function shouldFlush(state: CompactionState, load: TurnLoad, window: Pick<Window, 'tokens' | 'reserveTokens'>, settings = FLUSH_DEFAULTS): boolean {
  if (!settings.enabled || state.flushedAt === state.compactions) return false;
  if (settings.transcriptBytes > 0 && load.transcriptBytes >= settings.transcriptBytes) return true;
  const threshold = flushThreshold(window, settings.softTokens);
  return threshold > 0 && load.storedTokens + load.newTokens >= threshold;
}

/** Steps before a turn, in order. A compaction never comes without its flush, wherever the need was noticed. */
export function stepsBeforeTurn(
  state: CompactionState,
  load: TurnLoad,
  window: Pick<Window, 'tokens' | 'reserveTokens'>,
  settings = FLUSH_DEFAULTS,
): TurnStep[] {
  const compact = load.storedTokens + load.newTokens >= compactionThreshold(window);
  const flush = shouldFlush(state, load, window, settings) || (compact && settings.enabled && state.flushedAt !== state.compactions);
  return [...(flush ? (['flush'] as const) : []), ...(compact ? (['compact'] as const) : [])];
}

/**
 * One turn's compactions: what an endpoint's refusal ("too long") leads to, and when it is enough. A flush inside a turn neither flushes nor
 * compacts again, and a compaction that freed next to nothing is not repeated.
 */
export class TurnCompactions {
  #freedShare: number | undefined;
  #running = false;

  /** Steps after the endpoint refused the length; empty: nothing more can help, the run ends. */
  onOverflow(state: CompactionState, settings = FLUSH_DEFAULTS): TurnStep[] {
    if (this.#running || (this.#freedShare !== undefined && this.#freedShare < MIN_FREED_SHARE)) return [];
    return settings.enabled && state.flushedAt !== state.compactions ? ['flush', 'compact'] : ['compact'];
  }

  /** Runs one step; what happens inside may ask `onOverflow`, and gets nothing. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.#running = true;
    try {
      return await step();
    } finally {
      this.#running = false;
    }
  }

  /** Notes what a compaction freed. */
  compacted(tokensBefore: number, tokensAfter: number): void {
    this.#freedShare = tokensBefore <= 0 ? 0 : Math.max(0, tokensBefore - tokensAfter) / tokensBefore;
  }
}

/** What an agent answers when there is nothing to say to anybody. */
export const SILENT_REPLY = 'NO_REPLY';

/** Prompts of a flush turn, each with the hint to stay silent. `date` is today in the user's time zone, as `2026-11-21`. */
export function flushPrompts(date: string, own: { readonly system?: string; readonly user?: string } = {}): { readonly system: string; readonly user: string } {
  const system = own.system ?? 'The conversation is about to be shortened. Write down now what must outlive it; nothing else.';
  const user = own.user ?? `Store lasting facts, decisions and open questions of this conversation as memories dated ${date}.`;
  return { system: silently(system), user: silently(user) };
}

function silently(prompt: string): string {
  return prompt.includes(SILENT_REPLY) ? prompt : `${prompt}\nIf there is nothing to store, answer only ${SILENT_REPLY}.`;
}
