import type { CompactionSettings, FlushSettings, PruneSettings, Window, WindowSources } from '@plexus/context-window';
import type { Clock } from '@plexus/kernel';
import type { Usage } from '@plexus/vm-protocol';
import type { Log, ShownMessage } from '../ports.js';

/** One message of a running conversation, as it is kept and as it goes to the model. */
export interface ConversationMessage extends ShownMessage {
  /** Stands for an older part of the conversation. Its role is `user`: what tools said must not become an instruction of the system. */
  readonly summary?: true;
}

/** What is said to the model once, beside the conversation. */
export interface SidePrompt {
  readonly system: string;
  readonly user: string;
}

/** Asks the model for one text without tools. Rejects when it cannot be had; an abort of the signal is final. */
export type SummariseText = (prompt: SidePrompt, signal: AbortSignal) => Promise<string>;

/** A model turn over the conversation that may only write memories. Resolves with how many were written. */
export type FlushMemories = (request: FlushRequest, signal: AbortSignal) => Promise<{ readonly written: number }>;

export interface FlushRequest {
  readonly prompt: SidePrompt;
  /** Fits into the window; a call and its results are together. */
  readonly messages: readonly ConversationMessage[];
}

/** What is remembered between turns and across restarts. Plain data: kept in `memory/context.json`. */
export interface ContextState {
  readonly compactions: number;
  /** Value of `compactions` when memories were last flushed; null: never. */
  readonly flushedAt: number | null;
  /** Wall clock of the last request that warmed the endpoint's cache. */
  readonly lastCacheTouchMs?: number;
  /** What the endpoint counted of the last request (`messages` of the conversation, with what is fixed) and of its answer. */
  readonly counted?: { readonly tokens: number; readonly answerTokens: number; readonly messages: number };
  /** The endpoint's count over our estimate, 1–8. */
  readonly tokenFactor: number;
  /** The model that `tokenFactor` and `learnedTokens` are about. */
  readonly modelId?: string;
  /** Limit that the endpoint named, or that its refusal showed. */
  readonly learnedTokens?: number;
  /** Tokens at which a compaction freed next to nothing: not tried again before there is noticeably more. */
  readonly futileAtTokens?: number;
}

/** What happened on the way; none of it holds text of the conversation. */
export type ContextNote =
  | { readonly kind: 'small_window'; readonly tokens: number }
  | { readonly kind: 'pruned'; readonly trimmed: number; readonly cleared: number }
  | { readonly kind: 'flushed'; readonly written: number }
  | { readonly kind: 'flush_failed'; readonly reason: string }
  | { readonly kind: 'compacted'; readonly tokensBefore: number; readonly tokensAfter: number; readonly summarised: number }
  | { readonly kind: 'compaction_failed'; readonly reason: string }
  /** Older messages did not go along this time; they are kept. */
  | { readonly kind: 'left_out'; readonly messages: number }
  /** The endpoint's limit is now known. */
  | { readonly kind: 'limit_learned'; readonly tokens: number };

export interface Prepared {
  /** What to send, oldest first: pruned, with a summary in front if there is one, the new message last. */
  readonly messages: readonly ConversationMessage[];
  /** What to keep from now on instead of what was passed in, the new message included. Never pruned; after a compaction it is shorter. */
  readonly conversation: readonly ConversationMessage[];
  readonly notes: readonly ContextNote[];
}

export interface PrepareOptions {
  readonly signal: AbortSignal;
  /** Estimate of what goes along with every request: system prompt and descriptions of the tools. */
  readonly fixedTokens?: number;
}

export interface ConversationWindowOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Limits that are known when the conversation begins. */
  readonly limits?: WindowSources;
  readonly prune?: Partial<PruneSettings>;
  readonly flush?: Partial<FlushSettings>;
  readonly compaction?: Partial<CompactionSettings>;
  /** Rules of the workspace that every summary carries along. */
  readonly workspaceRules?: string;
  /** Absent: there is no model for it, history is never replaced by a summary. */
  readonly summarise?: SummariseText;
  /** Absent: nothing can be written, no flush takes place. */
  readonly flushMemories?: FlushMemories;
  /** As it was kept. */
  readonly state?: ContextState;
  /** Time zone of the user for the date in the prompt of a flush, `Europe/Berlin`; UTC unless given. */
  readonly timeZone?: string;
}

/** What the agent's loop uses of it; `ConversationWindow` is the implementation. */
export interface ContextPort {
  readonly window: Window;
  /** Which model is asked from now on, and what is known of it. Call it before `prepare` and after a failover. */
  useModel(id: string, limits: WindowSources): void;
  /** Before a model call. `newMessage` begins a turn; without it the turn goes on (after results of tools). Throws `AgentFailure`. */
  prepare(conversation: readonly ConversationMessage[], newMessage: ConversationMessage | undefined, options: PrepareOptions): Promise<Prepared>;
  /** After a model call: what the endpoint counted for it. */
  noteUsage(usage: Usage): void;
  /** After the endpoint refused the length: what to send instead, once again; undefined when nothing more can help. */
  onOverflow(conversation: readonly ConversationMessage[], error: unknown, options: PrepareOptions): Promise<Prepared | undefined>;
  state(): ContextState;
}
