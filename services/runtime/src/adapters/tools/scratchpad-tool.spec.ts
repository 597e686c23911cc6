import type { ToolContext } from '../../application/ports.js';
import { scratchpadTool } from './scratchpad-tool.js';

const context: ToolContext = { sessionId: 's', runId: 'r', workspace: '/', signal: new AbortController().signal, onProcess: () => undefined };

describe('the scratchpad', () => {
  it('returns the notes, replaces them, and says when they are too long', async () => {
    let notes = '';
    const tool = scratchpadTool({
      scratchpad: async () => notes,
      async saveScratchpad(text) {
        if (text.length > 10) throw new RangeError('it takes 10 bytes');
        notes = text;
      },
    });
    expect(await tool.run({}, context)).toEqual({ content: '(There are no notes.)' });
    expect(await tool.run({ text: 'tea' }, context)).toEqual({ content: 'Kept.' });
    expect(await tool.run(undefined, context)).toEqual({ content: 'tea' });
    expect(await tool.run({ text: 'x'.repeat(11) }, context)).toEqual({ content: 'Not kept: it takes 10 bytes.', isError: true });
    expect(await tool.run({ text: 5 }, context)).toMatchObject({ isError: true });
  });
});
