import { mcpToolNames } from './mcp-names.js';
import { mcpResultText } from './mcp-result.js';

describe('names of tools of MCP servers', () => {
  it('are server__tool, in characters that every provider takes', () => {
    expect([...mcpToolNames('files', ['read', 'list.all', 'ns/write'])]).toEqual([
      ['files__list_all', 'list.all'],
      ['files__ns_write', 'ns/write'],
      ['files__read', 'read'],
    ]);
  });

  it('differ for every tool, are at most 64 long, and do not depend on the order', () => {
    const tools = ['a.b', 'a_b', 'a/b', 'x'.repeat(80), `${'x'.repeat(80)}y`, 'a.b'];
    const names = mcpToolNames('srv', tools);
    expect(new Set(names.values())).toEqual(new Set(tools));
    expect(names.size).toBe(5);
    for (const name of names.keys()) expect(name).toMatch(/^srv__[A-Za-z0-9_-]{1,59}$/);
    expect([...mcpToolNames('srv', [...tools].reverse())]).toEqual([...names]);
  });
});

describe('results of tools of MCP servers', () => {
  it('are read as text; what is no text is named', () => {
    const content = [
      { type: 'text', text: 'one' },
      { type: 'image', data: 'AAAA', mimeType: 'image/png' },
      { type: 'resource', resource: { uri: 'file:///a', text: 'inside' } },
      { type: 'resource_link', uri: 'file:///b' },
    ];
    expect(mcpResultText({ content })).toEqual({ content: 'one\n[image image/png, 3 bytes]\ninside\n[resource file:///b]' });
    expect(mcpResultText({ content: [], structuredContent: { a: 1 } })).toEqual({ content: '{"a":1}' });
    expect(mcpResultText({ content: [] })).toEqual({ content: '(no output)' });
    expect(mcpResultText({ content: [{ type: 'text', text: 'no' }], isError: true })).toEqual({ content: 'no', isError: true });
    expect(mcpResultText('rubbish')).toMatchObject({ isError: true });
  });
});
