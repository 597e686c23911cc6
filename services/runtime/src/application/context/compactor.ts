import { compact, type Summarise } from '@plexus/context-window';
import { cutForCompaction, keptTokens, summaryMessage } from './compaction-cut.js';
import { summaryPrompt } from './summary-prompt.js';
import type { ConversationMessage, ConversationWindowOptions } from './types.js';

export interface CompactionOrder {
  readonly conversation: readonly ConversationMessage[];
  /** The same messages as they would be sent: old results pruned. */
  readonly effective: readonly ConversationMessage[];
  /** Of the whole request. */
  readonly tokensBefore: number;
  readonly windowTokens: number;
  /** Compactions of this turn that the endpoint was not content with. */
  readonly attempt: number;
  /** The newest group is what the model is to answer. */
  readonly keepLast: boolean;
}

export type CompactionOutcome =
  | { readonly kind: 'done'; readonly conversation: readonly ConversationMessage[]; readonly summarised: number }
  /** The conversation stays as it is. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Share of the window up to which the question of a turn stays in its own words while the turn goes on. */
const QUESTION_SHARE = 0.25;

/** Replaces the older part of a conversation by a summary that the model writes. */
export class Compactor {
  constructor(private readonly options: ConversationWindowOptions) {}

  /** Rejects only when the caller gives up; whatever else fails leaves the conversation whole. */
  async compact(order: CompactionOrder, signal: AbortSignal): Promise<CompactionOutcome> {
    const { summarise, clock, log, compaction, workspaceRules } = this.options;
    const cut = cutForCompaction(
      order.effective,
      keptTokens(order.windowTokens, order.attempt),
      Math.floor(order.windowTokens * QUESTION_SHARE),
      order.keepLast,
    );
    const summarised = cut.history.length + cut.turnPrefix.length;
    // The question alone stays anyway.
    if (summarised === (cut.question ? 1 : 0)) return { kind: 'failed', reason: 'there is nothing older that could be summarised' };
    // The very objects that are kept, not their pruned copies.
    const kept = [...(cut.question ? [cut.question] : []), ...order.conversation.slice(order.conversation.length - cut.kept.length)];
    try {
      const result = await compact<ConversationMessage>(
        {
          messages: cut.history,
          turnPrefix: cut.turnPrefix,
          tokensBefore: order.tokensBefore,
          windowTokens: order.windowTokens,
          ...(cut.previousSummary !== undefined && { previousSummary: cut.previousSummary }),
          ...(workspaceRules !== undefined && { workspaceRules }),
        },
        {
          ...(summarise && { summarise: asked(summarise) }),
          clock,
          signal,
          onProblem: ({ what, error }) => log('warn', 'a part of a summary failed', { what, error }),
        },
        compaction,
      );
      if (result.kind === 'cancelled') return { kind: 'failed', reason: 'no model is at hand to write a summary' };
      return { kind: 'done', conversation: result.kind === 'empty' ? kept : [summaryMessage(result.text), ...kept], summarised };
    } catch (error) {
      signal.throwIfAborted();
      log('warn', 'the conversation could not be summarised, it stays as it is', { error });
      return { kind: 'failed', reason: error instanceof Error ? error.message.slice(0, 300) : 'unknown' };
    }
  }
}

function asked(summarise: NonNullable<ConversationWindowOptions['summarise']>): Summarise<ConversationMessage> {
  return async ({ signal, ...request }) => {
    const text = (await summarise(summaryPrompt(request), signal)).trim();
    // Taking nothing for a summary would lose everything it stands for.
    if (text === '') throw new Error('the model wrote an empty summary');
    return text;
  };
}
