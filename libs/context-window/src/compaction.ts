import { AbortedError, type Clock, spread } from '@plexus/kernel';
import { chunkLimit, chunksWithin, dropOldestHalves, isOversized, splitByTokens } from './chunk.js';
import { hasRealContent, keepsakesOf, type KeepsakeSettings, missingFrom, SUMMARY_HEADINGS, writeBoundary } from './keepsakes.js';
import { type ContextMessage, withoutOrphanedResults } from './message.js';
import { estimateHistoryTokens, estimateMessageTokens, SAFETY_FACTOR } from './token-estimate.js';

/** Asks a model for a summary. Rejects when it cannot be had. */
export type Summarise<M> = (request: {
  readonly messages: readonly M[];
  readonly previousSummary?: string;
  readonly headings: readonly string[];
  /** Identifiers that must stay word for word, and what an earlier answer lacked. */
  readonly instructions: string;
  readonly signal: AbortSignal;
}) => Promise<string>;

export interface CompactionSettings extends KeepsakeSettings {
  /** Share of the window that history may keep, 0.1–0.9. */
  readonly historyShare: number;
  /** Times that a summary without a heading or an identifier is asked for again, 0–3. */
  readonly qualityRetries: number;
}

export const COMPACTION_DEFAULTS: CompactionSettings = { historyShare: 0.5, qualityRetries: 0, keepTurns: 3 };

export interface CompactionInput<M> {
  /** What becomes the summary, oldest first. */
  readonly messages: readonly M[];
  /** Beginning of a turn whose rest stays: summarised apart. */
  readonly turnPrefix?: readonly M[];
  /** Tokens of the whole request before, as the endpoint counted them. */
  readonly tokensBefore: number;
  readonly windowTokens: number;
  readonly previousSummary?: string;
  /** Rules of the workspace that every summary carries along. */
  readonly workspaceRules?: string;
}

export interface CompactionTools<M> {
  /** Undefined: there is no model, or no key for it. */
  readonly summarise?: Summarise<M>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of what was given up along the way; nothing depends on it. */
  readonly onProblem?: (problem: { readonly what: 'dropped-history' | 'chunk' | 'quality'; readonly error?: unknown }) => void;
}

export type Compaction =
  /** Nothing changed: without a model history is kept rather than lost. */
  | { readonly kind: 'cancelled'; readonly reason: 'no_model' }
  /** There was nothing real to summarise: an empty boundary, because cancelling would ask again and again. */
  | { readonly kind: 'empty'; readonly text: '' }
  | { readonly kind: 'summary'; readonly text: string; readonly droppedMessages: number };

const TRIES = 3;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;
const JITTER = 0.2;
/** From so many messages on a summary is made of two halves. */
const SPLIT_FROM = 4;

/**
 * Turns the older part of a conversation into one text. Fails with what the last try failed with, or with AbortedError once the caller has
 * given up; history is then still what it was.
 */
export async function compact<M extends ContextMessage>(
  input: CompactionInput<M>,
  tools: CompactionTools<M>,
  overrides: Partial<CompactionSettings> = {},
): Promise<Compaction> {
  const settings = checked({ ...COMPACTION_DEFAULTS, ...overrides });
  const messages = withoutOrphanedResults(input.messages.filter(({ runtimeOnly }) => runtimeOnly !== true));
  const prefix = withoutOrphanedResults((input.turnPrefix ?? []).filter(({ runtimeOnly }) => runtimeOnly !== true));
  if (!hasRealContent([...messages, ...prefix]) && (input.previousSummary ?? '') === '') return { kind: 'empty', text: '' };
  const { summarise } = tools;
  if (summarise === undefined) return { kind: 'cancelled', reason: 'no_model' };

  const { kept, dropped } = fitBesideNewContent(messages, prefix, input, settings);
  const summariser = new Summariser(summarise, tools, input.windowTokens, settings.qualityRetries);
  const earlier = dropped.length === 0 ? input.previousSummary : await summariser.dropped(dropped, input.previousSummary);
  const keepsakes = keepsakesOf([...messages, ...prefix], settings, input.workspaceRules);
  const history = await summariser.history(kept, earlier, keepsakes.identifiers);
  const turn = prefix.length === 0 ? undefined : await summariser.history(prefix, undefined, keepsakes.identifiers);
  return { kind: 'summary', text: writeBoundary({ history, turn, keepsakes }), droppedMessages: dropped.length };
}

/** When what came in since the count was taken leaves too little room, the oldest halves go, until history is within its share. */
function fitBesideNewContent<M extends ContextMessage>(
  messages: readonly M[],
  prefix: readonly M[],
  { tokensBefore, windowTokens }: CompactionInput<M>,
  { historyShare }: CompactionSettings,
) {
  const summarizable = estimateHistoryTokens(messages) + estimateHistoryTokens(prefix);
  const fresh = Math.max(0, Math.floor(tokensBefore - summarizable));
  if (fresh <= Math.floor(windowTokens * historyShare * SAFETY_FACTOR)) return { kept: messages, dropped: [] };
  const { kept, dropped } = dropOldestHalves(messages, Math.floor(windowTokens * historyShare));
  return { kept: withoutOrphanedResults(kept), dropped };
}

/** Summaries of any length of history by requests of bounded length. */
class Summariser<M extends ContextMessage> {
  constructor(
    private readonly summarise: Summarise<M>,
    private readonly tools: CompactionTools<M>,
    private readonly windowTokens: number,
    private readonly qualityRetries: number,
  ) {}

  /** What had to be dropped, as the summary that the next one builds on; the earlier one where that fails. */
  async dropped(messages: readonly M[], previousSummary: string | undefined): Promise<string | undefined> {
    try {
      return await this.#chunks(messages, previousSummary, '');
    } catch (error) {
      if (this.tools.signal.aborted) throw error;
      this.tools.onProblem?.({ what: 'dropped-history', error });
      return previousSummary;
    }
  }

  async history(messages: readonly M[], previousSummary: string | undefined, identifiers: readonly string[]): Promise<string> {
    const instructions = identifiers.length === 0 ? '' : `Keep these word for word: ${identifiers.join(', ')}`;
    let summary = await this.#inStages(messages, previousSummary, instructions);
    for (let retry = 0; retry < this.qualityRetries; retry += 1) {
      const missing = missingFrom(summary, identifiers);
      if (missing.length === 0) break;
      this.tools.onProblem?.({ what: 'quality' });
      summary = await this.#inStages(messages, previousSummary, `${instructions}\nYour last summary lacked: ${missing.join(', ')}`.trim());
    }
    return summary;
  }

  async #inStages(messages: readonly M[], previousSummary: string | undefined, instructions: string): Promise<string> {
    const total = estimateHistoryTokens(messages);
    if (messages.length < SPLIT_FROM || total <= chunkLimit(messages, this.windowTokens)) return this.#sparing(messages, previousSummary, instructions);
    let summary = previousSummary;
    for (const part of splitByTokens(messages, 2)) summary = await this.#sparing(part, summary, instructions);
    return summary ?? '';
  }

  /** Everything; else everything but what is oversized, with a note about each of those; else only what is known of their number. */
  async #sparing(messages: readonly M[], previousSummary: string | undefined, instructions: string): Promise<string> {
    const large = messages.filter((message) => isOversized(message, this.windowTokens));
    if (large.length === 0) return this.#chunks(messages, previousSummary, instructions);
    const small = withoutOrphanedResults(messages.filter((message) => !large.includes(message)));
    const notes = large.map((message) => `[A ${message.role} message of about ${estimateMessageTokens(message)} tokens was left out of this summary.]`);
    const summary = small.length === 0 ? (previousSummary ?? '') : await this.#chunks(small, previousSummary, instructions);
    return [summary, ...notes].filter((line) => line !== '').join('\n');
  }

  async #chunks(messages: readonly M[], previousSummary: string | undefined, instructions: string): Promise<string> {
    let summary = previousSummary;
    for (const chunk of chunksWithin(messages, chunkLimit(messages, this.windowTokens))) summary = await this.#request(chunk, summary, instructions);
    return summary ?? '';
  }

  async #request(messages: readonly M[], previousSummary: string | undefined, instructions: string): Promise<string> {
    const { signal, clock } = this.tools;
    for (let attempt = 0; ; attempt += 1) {
      if (signal.aborted) throw new AbortedError('the compaction was given up');
      try {
        return await this.summarise({
          messages,
          headings: SUMMARY_HEADINGS,
          instructions,
          signal,
          ...(previousSummary === undefined || previousSummary === '' ? {} : { previousSummary }),
        });
      } catch (error) {
        if (signal.aborted) throw new AbortedError('the compaction was given up', { cause: error });
        if (attempt + 1 >= TRIES) throw error;
        this.tools.onProblem?.({ what: 'chunk', error });
        await clock.sleep(spread(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt), JITTER), signal);
      }
    }
  }
}

function checked(settings: CompactionSettings): CompactionSettings {
  const within = (value: number, from: number, to: number) => (Number.isFinite(value) ? Math.min(to, Math.max(from, value)) : from);
  return {
    ...settings,
    historyShare: within(settings.historyShare, 0.1, 0.9),
    qualityRetries: Math.floor(within(settings.qualityRetries, 0, 3)),
    keepTurns: Math.floor(within(settings.keepTurns, 0, 12)),
  };
}
