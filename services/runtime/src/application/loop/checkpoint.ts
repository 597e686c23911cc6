import type { Usage } from '@plexus/vm-protocol';
import { z } from 'zod';
import type { ContextState, ConversationMessage } from '../context/index.js';
import type { AgentTurn } from '../ports.js';

/** What was shown of a turn: replayed when another process goes on with it. */
export type Shown =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool';
      readonly callId: string;
      readonly toolName: string;
      readonly input: unknown;
      /** Absent: not known to have ended. */
      readonly result?: string;
      readonly isError?: boolean;
    };

/** One message of a run and what became of it. */
export interface TurnRecord {
  readonly message: string;
  readonly asked?: AgentTurn['asked'];
  readonly shown: readonly Shown[];
  /** Model calls so far. */
  readonly steps: number;
  readonly usage?: Usage;
  readonly done: boolean;
}

/** A run as far as it has come: its message, then each further one. */
export interface RunRecord {
  readonly runId: string;
  readonly turns: readonly TurnRecord[];
}

/** Everything that a session needs to go on in another process. Plain JSON. */
export interface Checkpoint {
  /** Without the system prompt; ends with the newest message. */
  readonly conversation: readonly ConversationMessage[];
  readonly context?: ContextState;
  readonly run: RunRecord;
}

/** Where the checkpoints of one session are. */
export interface CheckpointStore {
  /** Resolves when it is on the disk. One after the other, in the order of the calls. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** The newest that can be read; undefined = none. */
  newest(): Promise<Checkpoint | undefined>;
}

const Message = z.looseObject({ role: z.enum(['system', 'user', 'assistant', 'tool']), text: z.string() });
const ShownPiece = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('tool'), callId: z.string(), toolName: z.string(), input: z.unknown(), result: z.string().optional() }),
]);
const Turn = z.looseObject({ message: z.string(), shown: z.array(ShownPiece), steps: z.number().int().min(0), done: z.boolean() });
const Schema = z.looseObject({
  conversation: z.array(Message),
  run: z.looseObject({ runId: z.string(), turns: z.array(Turn) }),
});

/** Reads what was written as a checkpoint; undefined when it is none. */
export function readCheckpoint(value: unknown): Checkpoint | undefined {
  const parsed = Schema.safeParse(value);
  return parsed.success ? (parsed.data as unknown as Checkpoint) : undefined;
}

/** The text of a turn as its reader saw it. */
export function textOf(shown: readonly Shown[]): string {
  return shown.map((one) => (one.type === 'text' ? one.text : '')).join('');
}

/** Calls of the last step that have no result: the process ended while they ran. */
export function openCalls(conversation: readonly ConversationMessage[]): NonNullable<ConversationMessage['toolCalls']> {
  const answered = new Set<string>();
  for (let at = conversation.length - 1; at >= 0; at--) {
    const { role, toolCallId, toolCalls } = conversation[at] as ConversationMessage;
    if (role === 'tool') answered.add(toolCallId ?? '');
    else return (toolCalls ?? []).filter(({ id }) => !answered.has(id));
  }
  return [];
}
