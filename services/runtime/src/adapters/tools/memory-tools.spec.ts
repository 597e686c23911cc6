import { PlexusError } from '@plexus/kernel';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { ToolContext, ToolResult } from '../../application/ports.js';
import { memoryTools } from './memory-tools.js';

const context: ToolContext = { sessionId: 's', runId: 'r', workspace: '/', signal: new AbortController().signal, onProcess: () => undefined };

function use(name: string, input: unknown, answer: unknown): { result: Promise<ToolResult>; asked: unknown[] } {
  const asked: unknown[] = [];
  const calls: MeshCalls = {
    async request(sessionId, method, params) {
      asked.push([sessionId, method, params]);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    tell: async () => undefined,
  };
  const tool = memoryTools(calls).find((one) => one.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return { result: tool.run(input, context), asked };
}

describe('memory tools', () => {
  it('search with what the model asks for, and number what they find', async () => {
    const results = [
      { id: '1', content: 'likes tea', score: 0.913, metadata: {} },
      { id: '2', content: 'lives in Bern', score: 0.4, metadata: {} },
    ];
    const { result, asked } = use('memory_search', { query: 'drinks' }, { results, mode: 'text' });
    expect(await result).toEqual({ content: '1. (0.91) likes tea\n2. (0.40) lives in Bern' });
    expect(asked).toEqual([['s', 'memory_search', { query: 'drinks', top_k: 8 }]]);
    expect(await use('memory_search', { query: 'x' }, { results: [] }).result).toEqual({ content: 'Nothing found.' });
  });

  it('write one memory, of a kind that exists', async () => {
    const { result, asked } = use('memory_write', { content: 'likes tea', memory_type: 'preference' }, { id: 'm1' });
    expect(await result).toEqual({ content: 'Kept as m1.' });
    expect(asked).toEqual([['s', 'memory_write', { content: 'likes tea', memory_type: 'preference' }]]);
    expect(await use('memory_write', { content: 'x', memory_type: 'gossip' }, {}).result).toMatchObject({ isError: true });
  });

  it('tell the model when the memory cannot be reached or says nonsense', async () => {
    const away = new PlexusError({ code: 'TIMEOUT', message: 'No answer came.', retryable: true });
    expect(await use('memory_search', { query: 'x' }, away).result).toEqual({
      content: 'The memory cannot be reached: No answer came. (TIMEOUT)',
      isError: true,
    });
    expect(await use('memory_search', { query: 'x' }, 'odd').result).toMatchObject({ isError: true });
  });
});
