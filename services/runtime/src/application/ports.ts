import type { ContextMessage } from '@plexus/context-window';
import type { HistoryMessage, MessageAttachment, ModelEndpointOffer, RuntimeEvent, StartSessionData, Usage } from '@plexus/vm-protocol';
import type { JournalEntry } from '../domain/journal-state.js';
import type { OpenSpan } from './run-traces.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** One line per fact, with ids. Fields never hold content, keys or tokens. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Append-only file. `append` returns at once; `flush` returns when everything appended is in the file. Throws when it cannot write. */
export interface Journal {
  append(entry: JournalEntry): void;
  flush(): void;
  /** Returns when the disk has everything appended: also a power failure leaves it there. */
  sync?(): void;
}

/** Where a model is, as the mesh says it; sealed. */
export interface SealedEndpoint {
  readonly offer: ModelEndpointOffer;
  /** Name its boxes were sealed under. */
  readonly boxName: string;
}

/** A message of a conversation with its pictures. */
export interface ShownMessage extends ContextMessage {
  readonly pictures?: readonly MessageAttachment[];
}

/** What a model is asked in one turn of a conversation. */
export interface Turn {
  readonly message: string;
  /** Oldest first, without the message. */
  readonly history: readonly { readonly role: HistoryMessage['role']; readonly text: string }[];
  readonly systemPrompt?: string;
  readonly model?: string;
  readonly endpoint?: SealedEndpoint;
  /** What the model can read, in tokens, where that is configured. */
  readonly contextTokens?: number;
  /** Asked in this order when the model fails for a reason that another one may not have. */
  readonly fallbacks?: readonly { readonly model: string; readonly endpoint?: SealedEndpoint; readonly contextTokens?: number }[];
  readonly temperature?: number;
  readonly maxTokens?: number;
  /** Sent instead of history and message: the whole conversation with its tool calls and their results, fitted into the window already. */
  readonly conversation?: readonly ShownMessage[];
  /** Whose files the pictures of the conversation are. */
  readonly sessionId?: string;
  /** What the model is shown of them, by their id. Absent: nobody has looked for them. */
  readonly pictureBytes?: ReadonlyMap<string, Uint8Array>;
  /** What the model may ask for, with a `tool_call`. */
  readonly tools?: readonly ToolOffer[];
}

/** One turn of one run, as a session of an adapter gets it. */
export interface AgentTurn extends Turn {
  readonly sessionId: string;
  readonly runId: string;
  /** Of the message. */
  readonly pictures?: readonly MessageAttachment[];
  /** Tells a message with files from others: a hash of its text and of the ids of its files. What they say is part of `message`, and not always to be had. */
  readonly asked?: string;
  /** The run was begun before, by this or by an earlier process: go on from its checkpoint. */
  readonly resume: boolean;
}

export type AgentPiece =
  | { readonly type: 'text'; readonly text: string }
  /** The model thinks aloud; not part of the answer. */
  | { readonly type: 'thinking'; readonly text: string }
  /** Forget what was said so far in this turn: it starts again. */
  | { readonly type: 'reset' }
  /** What the turn has used up so far, all its model calls together. */
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'tool_start'; readonly callId: string; readonly toolName: string; readonly input: unknown }
  | { readonly type: 'tool_end'; readonly callId: string; readonly toolName: string; readonly result: unknown; readonly isError: boolean }
  | { readonly type: 'skill_start'; readonly skillId: string; readonly input?: unknown }
  | { readonly type: 'skill_end'; readonly skillId: string; readonly result?: unknown; readonly isError?: boolean }
  /** Passes through unchanged. Never an end: the runtime writes that itself. */
  | { readonly type: 'event'; readonly event: RuntimeEvent };

/** Tokens of the input of one call that the endpoint had cached, or has cached now. */
export interface CachedInput {
  readonly read: number;
  readonly written: number;
}

/** What one model call says. */
export type ModelPiece =
  | Extract<AgentPiece, { type: 'text' | 'thinking' }>
  /** What the call used up, and the name of the model that was asked. */
  | { readonly type: 'usage'; readonly usage: Usage; readonly model?: string; readonly cached?: CachedInput }
  /** Forget what was said and asked for in this call: it starts again. */
  | { readonly type: 'reset' }
  /** The model asks for a tool. `problem`: its input could not be read, and this is why. */
  | { readonly type: 'tool_call'; readonly callId: string; readonly toolName: string; readonly input: unknown; readonly problem?: string };

/** Answers with one model call, as a stream. Ends early when the signal aborts; throws `AgentFailure` when it cannot answer. */
export interface Agent {
  run(turn: Turn, signal: AbortSignal): AsyncIterable<ModelPiece>;
}

/** What a model is told about a tool. */
export type ToolOffer = Pick<Tool, 'name' | 'description' | 'inputSchema'>;

/** One kind of agent, named by `runtime_type`. */
export interface RuntimeAdapter {
  start(data: StartSessionData): AgentSession;
  /** The process ends. */
  close?(): Promise<void>;
}

/** One conversation with an agent. */
export interface AgentSession {
  /**
   * Answers one message. When the signal aborts with `RunCancelled` it stops what it does, keeps what tools already returned and returns or
   * throws; the runtime writes the end, at the latest 15 s after the cancel. Throws `AgentFailure` when it cannot answer.
   */
  run(turn: AgentTurn, signal: AbortSignal): AsyncIterable<AgentPiece>;
  /** New settings; they count from the next run on. */
  update?(data: StartSessionData): void;
  /** State for `snapshot_sync`; undefined = nothing new since the last one. */
  snapshot?(): Promise<SnapshotBody | undefined>;
  close?(reason: string): Promise<void>;
}

/** What of a session the mesh keeps. Plain JSON. */
export interface SnapshotBody {
  readonly checkpoint: unknown;
  readonly short_term_memory: unknown;
  readonly conversation_state?: unknown;
  readonly file_manifest?: unknown;
}

/** A tool that the model may call. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly inputSchema: Record<string, unknown>;
  /** Never throws for a bad input: an error result that the model can read. Throws or returns early when the signal aborts. */
  run(input: unknown, context: ToolContext): Promise<ToolResult>;
}

export interface ToolContext {
  readonly sessionId: string;
  readonly runId: string;
  /** Folder of the session; exists. */
  readonly workspace: string;
  readonly signal: AbortSignal;
  /** The span of the call, where its run is traced. */
  readonly span?: OpenSpan;
  /** To be told of every process group that the tool starts: it gets TERM and KILL when a cancel or the fence asks for it. */
  onProcess(child: ToolProcess): void;
}

/** A process group that a tool started. */
export interface ToolProcess {
  /** Sends the signal to the whole group; does nothing when it is gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
}

export interface ToolResult {
  readonly content: string;
  readonly isError?: boolean;
}

/** Where tools come from: built-ins, memory, skills, MCP by stdio, remote MCP. */
export interface ToolSource {
  /** The tools of one session, asked for before each run. A source that is down has none and says so in the log; it does not throw. */
  tools(data: StartSessionData): Promise<readonly Tool[]>;
  /** Nothing of this session is needed any more, until `tools` is asked for it again. */
  endSession?(sessionId: string): Promise<void>;
  close?(): Promise<void>;
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
