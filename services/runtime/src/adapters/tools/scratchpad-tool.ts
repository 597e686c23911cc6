import { z } from 'zod';
import type { SessionMemory } from '../../application/context/index.js';
import type { Tool } from '../../application/ports.js';
import { problem, readInput } from './tool-input.js';

const Input = z.object({ text: z.string().optional() });

/** The notes that the agent keeps for itself in one conversation; older messages may leave the window, these stay. */
export function scratchpadTool(memory: Pick<SessionMemory, 'scratchpad' | 'saveScratchpad'>): Tool {
  return {
    name: 'scratchpad',
    description: 'Your notes of this conversation, for yourself. Without text it returns them; with text it replaces them.',
    inputSchema: { type: 'object', properties: { text: { type: 'string', description: 'The new notes, all of them.' } }, additionalProperties: false },
    async run(input) {
      const read = readInput(Input, input);
      if (!read.ok) return read.result;
      const { text } = read.value;
      if (text === undefined) return { content: (await memory.scratchpad()) || '(There are no notes.)' };
      try {
        await memory.saveScratchpad(text);
      } catch (error) {
        if (error instanceof RangeError) return problem(`Not kept: ${error.message}.`);
        throw error;
      }
      return { content: 'Kept.' };
    },
  };
}
