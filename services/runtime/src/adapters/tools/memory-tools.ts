import { AbortedError, PlexusError } from '@plexus/kernel';
import { MEMORY_TYPES, MemorySearchResult, MemoryWriteResult } from '@plexus/vm-protocol';
import { z } from 'zod';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Tool, ToolContext, ToolResult } from '../../application/ports.js';
import { problem, readInput } from './tool-input.js';

const SearchInput = z.object({ query: z.string().min(1).max(4_096), top_k: z.number().int().min(1).max(50).default(8) });
const WriteInput = z.object({
  content: z.string().min(1).max(65_536),
  memory_type: z.enum(MEMORY_TYPES).default('note'),
  importance: z.number().min(0).max(1).optional(),
});

async function ask(
  calls: MeshCalls,
  method: string,
  params: Record<string, unknown>,
  { sessionId, signal, span }: ToolContext,
): Promise<{ answer: unknown } | { refused: ToolResult }> {
  try {
    return { answer: await calls.request(sessionId, method, params, { signal, ...(span && { traceparent: span.traceparent }) }) };
  } catch (error) {
    if (error instanceof AbortedError || !PlexusError.isPlexusError(error)) throw error;
    return { refused: problem(`The memory cannot be reached: ${error.message} (${error.code})`) };
  }
}

/** Long-term memory of the user, which the mesh keeps. */
export function memoryTools(calls: MeshCalls): readonly Tool[] {
  return [searchTool(calls), writeTool(calls)];
}

function searchTool(calls: MeshCalls): Tool {
  return {
    name: 'memory_search',
    description: 'Searches the long-term memory of this user, over all conversations, for what fits a question.',
    inputSchema: {
      type: 'object',
      properties: { query: { type: 'string' }, top_k: { type: 'integer', minimum: 1, maximum: 50 } },
      required: ['query'],
      additionalProperties: false,
    },
    async run(input, context) {
      const read = readInput(SearchInput, input);
      if (!read.ok) return read.result;
      const asked = await ask(calls, 'memory_search', read.value, context);
      if ('refused' in asked) return asked.refused;
      const found = MemorySearchResult.safeParse(asked.answer);
      if (!found.success) return problem('The memory gave an answer that cannot be understood.');
      if (found.data.results.length === 0) return { content: 'Nothing found.' };
      return { content: found.data.results.map(({ content, score }, index) => `${index + 1}. (${score.toFixed(2)}) ${content}`).join('\n') };
    },
  };
}

function writeTool(calls: MeshCalls): Tool {
  return {
    name: 'memory_write',
    description: 'Keeps something in the long-term memory of this user, to be found again in later conversations.',
    inputSchema: {
      type: 'object',
      properties: {
        content: { type: 'string', description: 'One self-contained statement.' },
        memory_type: { type: 'string', enum: [...MEMORY_TYPES] },
        importance: { type: 'number', minimum: 0, maximum: 1 },
      },
      required: ['content'],
      additionalProperties: false,
    },
    async run(input, context) {
      const read = readInput(WriteInput, input);
      if (!read.ok) return read.result;
      const asked = await ask(calls, 'memory_write', read.value, context);
      if ('refused' in asked) return asked.refused;
      const written = MemoryWriteResult.safeParse(asked.answer);
      return { content: written.success ? `Kept as ${written.data.id}.` : 'Kept.' };
    },
  };
}
