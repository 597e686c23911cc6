import { parseJson } from '@plexus/kernel';
import { z } from 'zod';
import type { ConversationMessage, FlushMemories } from './types.js';

/** A memory as the model writes it down. */
export const FlushedMemory = z.object({
  content: z.string().trim().min(1).max(8_000).describe('One fact, decision or open question, understandable on its own.'),
  memory_type: z.enum(['fact', 'preference', 'episode', 'summary']).catch('episode').default('episode'),
  importance: z.number().min(0).max(1).optional().catch(undefined),
});
export type FlushedMemory = z.infer<typeof FlushedMemory>;

/** The only tool of a flush. */
export const MEMORY_WRITE_TOOL = Object.freeze({
  name: 'memory_write',
  description: 'Stores one memory that outlives this conversation.',
  inputSchema: Object.freeze({
    type: 'object',
    properties: {
      content: { type: 'string', description: 'One fact, decision or open question, understandable on its own.' },
      memory_type: { type: 'string', enum: ['fact', 'preference', 'episode', 'summary'] },
      importance: { type: 'number', minimum: 0, maximum: 1 },
    },
    required: ['content'],
  }),
});

export interface CompletionRequest {
  readonly system: string;
  readonly messages: readonly ConversationMessage[];
  readonly tools: readonly (typeof MEMORY_WRITE_TOOL)[];
}

export interface Completion {
  readonly text: string;
  /** `arguments` is JSON as the model wrote it. */
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
}

/** One model call, not streamed. */
export type Complete = (request: CompletionRequest, signal: AbortSignal) => Promise<Completion>;

export interface MemoryFlushTools {
  readonly complete: Complete;
  /** Resolves when the memory is on its way and will not be lost. */
  readonly write: (memory: FlushedMemory, signal: AbortSignal) => Promise<void>;
}

const MAX_STEPS = 4;
const MAX_MEMORIES = 20;

/**
 * The model turn of a flush: it may write memories and nothing else, nobody sees what it says, and it ends after four model calls. Another
 * tool that the model asks for is refused in its result; a write that fails is told to the model and counts as none.
 */
export function memoryFlushTurn({ complete, write }: MemoryFlushTools): FlushMemories {
  return async ({ prompt, messages }, signal) => {
    const turn: ConversationMessage[] = [...messages, { role: 'user', text: prompt.user }];
    let written = 0;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const { text, toolCalls } = await complete({ system: prompt.system, messages: turn, tools: [MEMORY_WRITE_TOOL] }, signal);
      if (toolCalls.length === 0) break;
      turn.push({ role: 'assistant', text, toolCalls });
      for (const call of toolCalls) {
        signal.throwIfAborted();
        const problem = written >= MAX_MEMORIES ? `At most ${MAX_MEMORIES} memories can be written now.` : await carryOut(call, write, signal);
        if (problem === undefined) written += 1;
        turn.push({ role: 'tool', text: problem ?? 'Stored.', toolCallId: call.id, toolName: call.name, ...(problem !== undefined && { toolFailed: true }) });
      }
      if (written >= MAX_MEMORIES) break;
    }
    return { written };
  };
}

/** Why nothing was stored; undefined when it was. */
async function carryOut(call: Completion['toolCalls'][number], write: MemoryFlushTools['write'], signal: AbortSignal): Promise<string | undefined> {
  if (call.name !== MEMORY_WRITE_TOOL.name) return `Only ${MEMORY_WRITE_TOOL.name} may be used now.`;
  const input = parseJson(call.arguments, { maxBytes: 65_536 });
  const memory = FlushedMemory.safeParse(input.ok ? input.value : undefined);
  if (!memory.success) return 'This needs { "content": text of 1 to 8000 characters }.';
  try {
    await write(memory.data, signal);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `It could not be stored: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown reason'}`;
  }
}
