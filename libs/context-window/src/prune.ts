import { headOf, tailOf } from './cut-text.js';
import type { ContextMessage } from './message.js';
import { CHARS_PER_TOKEN, charsOf } from './token-estimate.js';

/** How old tool results give way, in memory and for one request; the transcript keeps them. */
export interface PruneSettings {
  /** `cache-ttl`: once the provider's prompt cache has gone cold anyway; `off`: never. */
  readonly mode: 'off' | 'cache-ttl';
  readonly ttlMs: number;
  /** Everything from this many assistant messages before the end on is left alone. */
  readonly keepAssistantMessages: number;
  /** Share of the window, in characters, from which long results are shortened, and from which they are cleared. */
  readonly softRatio: number;
  readonly hardRatio: number;
  readonly hardClear: boolean;
  /** Clearing less than this is not worth a cold cache. */
  readonly minClearableChars: number;
  readonly softMaxChars: number;
  readonly headChars: number;
  readonly tailChars: number;
  /** Pictures of the newest results that stay. */
  readonly keepImageResults: number;
  /** Globs over tool names; deny wins, an empty allow list means all. */
  readonly tools: { readonly allow: readonly string[]; readonly deny: readonly string[] };
}

export const PRUNE_DEFAULTS: PruneSettings = {
  mode: 'off',
  ttlMs: 5 * 60_000,
  keepAssistantMessages: 3,
  softRatio: 0.3,
  hardRatio: 0.5,
  hardClear: true,
  minClearableChars: 50_000,
  softMaxChars: 4_000,
  headChars: 1_500,
  tailChars: 1_500,
  keepImageResults: 3,
  tools: { allow: [], deny: [] },
};

/** Stands where a result was. */
export const CLEARED_RESULT = '[Old tool result cleared; call the tool again if it is needed.]';

export interface Pruned<M> {
  /** The very same array when nothing changed. */
  readonly messages: readonly M[];
  readonly trimmed: number;
  readonly cleared: number;
}

export interface PruneOccasion {
  readonly windowTokens: number;
  readonly nowMs: number;
  /** When the prompt cache was last used; without it nothing is pruned. */
  readonly lastCacheTouchMs?: number;
}

/**
 * Shortens, and if need be clears, results of tools between the first user message and the protected tail. Other messages, ids and order
 * stay as they are, so no call loses its result.
 */
export function pruneToolResults<M extends ContextMessage>(messages: readonly M[], occasion: PruneOccasion, overrides: Partial<PruneSettings> = {}): Pruned<M> {
  const settings = { ...PRUNE_DEFAULTS, ...overrides };
  const untouched = { messages, trimmed: 0, cleared: 0 };
  const { lastCacheTouchMs } = occasion;
  if (settings.mode === 'off' || lastCacheTouchMs === undefined || occasion.nowMs - lastCacheTouchMs < settings.ttlMs) return untouched;
  const prunable = prunableResults(messages, settings);
  const limit = occasion.windowTokens * CHARS_PER_TOKEN;
  let total = messages.reduce((sum, message) => sum + charsOf(message), 0);
  if (prunable.length === 0 || limit <= 0 || total / limit < settings.softRatio) return untouched;

  const pruned = [...messages];
  const replace = (index: number, message: M) => {
    total += charsOf(message) - charsOf(pruned[index] as M);
    pruned[index] = message;
  };
  let trimmed = 0;
  const pictured = messages.flatMap(({ role, images = 0 }, index) => (role === 'tool' && images > 0 ? [index] : []));
  const spared = new Set(pictured.slice(Math.max(0, pictured.length - settings.keepImageResults)));
  for (const index of prunable) {
    const short = shortened(messages[index] as M, settings, spared.has(index));
    if (short === undefined) continue;
    replace(index, short);
    trimmed += 1;
  }
  const clearable = prunable.filter((index) => !spared.has(index)).reduce((sum, index) => sum + charsOf(pruned[index] as M), 0);
  let cleared = 0;
  if (settings.hardClear && clearable >= settings.minClearableChars) {
    for (const index of prunable) {
      if (total / limit < settings.hardRatio) break;
      const message = pruned[index] as M;
      if (spared.has(index) || charsOf(message) <= CLEARED_RESULT.length) continue;
      replace(index, { ...message, text: CLEARED_RESULT, images: 0 });
      cleared += 1;
    }
  }
  return trimmed + cleared === 0 ? untouched : { messages: pruned, trimmed, cleared };
}

/** Results of allowed tools behind the first user message and before the protected tail; none while there are too few answers to protect. */
function prunableResults(messages: readonly ContextMessage[], { keepAssistantMessages, tools }: PruneSettings): number[] {
  const from = messages.findIndex(({ role }) => role === 'user');
  const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
  if (from < 0 || answers.length < keepAssistantMessages) return [];
  const tail = keepAssistantMessages === 0 ? messages.length : (answers.at(-keepAssistantMessages) as number);
  const denied = tools.deny.map(globOf);
  const allowed = tools.allow.map(globOf);
  const isPrunable = (name: string) => !denied.some((glob) => glob.test(name)) && (allowed.length === 0 || allowed.some((glob) => glob.test(name)));
  return messages.flatMap(({ role, toolName = '' }, index) => (role === 'tool' && index > from && index < tail && isPrunable(toolName) ? [index] : []));
}

function shortened<M extends ContextMessage>(message: M, { softMaxChars, headChars, tailChars }: PruneSettings, spared: boolean): M | undefined {
  const images = spared ? (message.images ?? 0) : 0;
  const withoutImages = images === (message.images ?? 0) ? '' : `\n[${message.images} picture(s) of this result left out]`;
  const { text } = message;
  if (text.length <= softMaxChars || text.length <= headChars + tailChars) {
    return withoutImages === '' ? undefined : { ...message, text: text + withoutImages, images };
  }
  const note = `[Shortened: the first ${headChars} and the last ${tailChars} of ${text.length} characters.]`;
  return { ...message, text: `${headOf(text, headChars)}\n…\n${tailOf(text, tailChars)}\n${note}${withoutImages}`, images };
}

function globOf(pattern: string): RegExp {
  const parts = pattern
    .trim()
    .toLowerCase()
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
