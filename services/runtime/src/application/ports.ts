import type { HistoryMessage, ModelEndpointOffer, Usage } from '@plexus/vm-protocol';
import type { JournalEntry } from '../domain/journal-state.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** One line per fact, with ids. Fields never hold content, keys or tokens. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Append-only file. `append` returns at once; `flush` returns when everything appended is in the file. Throws when it cannot write. */
export interface Journal {
  append(entry: JournalEntry): void;
  flush(): void;
}

/** One turn of a conversation, as an agent gets it. */
export interface AgentTurn {
  readonly message: string;
  /** Oldest first, without the message. */
  readonly history: readonly { readonly role: HistoryMessage['role']; readonly text: string }[];
  readonly systemPrompt?: string;
  readonly model?: string;
  /** Where that model is, when the mesh says it; sealed. */
  readonly endpoint?: { readonly offer: ModelEndpointOffer /** Name its boxes were sealed under. */; readonly boxName: string };
  readonly temperature?: number;
  readonly maxTokens?: number;
}

export type AgentPiece =
  | { readonly type: 'text'; readonly text: string }
  /** The model thinks aloud; not part of the answer. */
  | { readonly type: 'thinking'; readonly text: string }
  /** Forget what was said so far in this turn: it starts again. */
  | { readonly type: 'reset' }
  | { readonly type: 'usage'; readonly usage: Usage };

/** Answers one turn as a stream. Ends early when the signal aborts; throws `AgentFailure` when it cannot answer. */
export interface Agent {
  run(turn: AgentTurn, signal: AbortSignal): AsyncIterable<AgentPiece>;
}

/** Why a turn cannot be answered: a stable code and a sentence for the person who waits. */
export class AgentFailure extends Error {
  constructor(
    readonly code: string,
    sentence: string,
    options?: ErrorOptions,
  ) {
    super(sentence, options);
    this.name = 'AgentFailure';
  }
}
