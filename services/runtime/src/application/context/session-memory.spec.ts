import { groupsOf } from '@plexus/context-window';
import fc from 'fast-check';
import { readConversation, writeConversation } from './conversation-text.js';
import { type SessionFiles, SessionMemory } from './session-memory.js';
import type { ContextState, ConversationMessage } from './types.js';

class FakeFiles implements SessionFiles {
  readonly texts = new Map<string, string>();
  readonly writes: string[] = [];
  failing = false;

  async read(name: string, maxBytes: number): Promise<string | undefined> {
    const text = this.texts.get(name);
    if (text !== undefined && Buffer.byteLength(text) > maxBytes) throw new RangeError('too large');
    return text;
  }

  async write(name: string, text: string): Promise<void> {
    if (this.failing) throw new Error('disk full');
    this.writes.push(name);
    this.texts.set(name, text);
  }
}

const open = (files: SessionFiles, limits = {}) => SessionMemory.open(files, { log: () => undefined, limits });
const context: ContextState = { compactions: 2, flushedAt: 1, tokenFactor: 1, counted: { tokens: 10, answerTokens: 1, messages: 3 } };
const conversation: ConversationMessage[] = [
  { role: 'user', text: 'Summary', summary: true },
  { role: 'user', text: 'List the files.\n\n## Not a heading of ours\n' },
  { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'exec', arguments: '{"a":"-->"}' }] },
  { role: 'tool', text: 'a.txt\n', toolCallId: 'c1', toolName: 'exec', toolFailed: true },
  { role: 'assistant', text: 'One file: **a.txt**' },
];

it('what was said is there after a restart, and people can read it', async () => {
  const files = new FakeFiles();
  await (await open(files)).save({ conversation, context });
  const again = await open(files);
  expect(again.conversation).toEqual(conversation);
  expect(again.context).toEqual(context);
  expect(files.texts.get('conversation.md')).toContain('## Assistant\n\nOne file: **a.txt**\n');
  expect(files.texts.get('conversation.md')).toContain('## Assistant (calls exec)\n');
});

it('any conversation is read again word for word, whatever it holds', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc
      .array(fc.constantFrom('\n', '\\', '## User', '<!-- plexus:message {"role":"user"} -->', '\\<!-- plexus:message ', '-->', '', ' ', 'x', '\r'))
      .map((parts) => parts.join('')),
  );
  const message: fc.Arbitrary<ConversationMessage> = fc.oneof(
    fc.record({ role: fc.constantFrom('user' as const, 'assistant' as const), text }),
    fc.record({ role: fc.constant('tool' as const), text, toolCallId: text, toolName: text }),
    fc.record({ role: fc.constant('assistant' as const), text, toolCalls: fc.array(fc.record({ id: text, name: text, arguments: text }), { maxLength: 2 }) }),
  );
  // What no file can hold as UTF-8 is left out of the comparison, not of the texts.
  const isStorable = (one: unknown) =>
    !/[\0]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(JSON.stringify(one)) && !JSON.stringify(one).includes('\\u0000');
  fc.assert(
    fc.property(fc.array(message.filter(isStorable), { maxLength: 8 }), (messages) => {
      const { text: written, kept } = writeConversation(messages, 1_000_000);
      expect(kept).toBe(messages.length);
      expect(readConversation(written)).toEqual(messages);
    }),
  );
});

it('the line separators that Unicode has end no line of ours', () => {
  const messages: ConversationMessage[] = ['\u2028', '\u2029', '\u0085', '\r', '\v'].flatMap((sign): ConversationMessage[] => [
    { role: 'assistant', text: `a${sign}b`, toolCalls: [{ id: `c${sign}`, name: 'write', arguments: `{"content":"a${sign}b"}` }] },
    { role: 'tool', text: `a${sign}b`, toolCallId: `c${sign}`, toolName: `write${sign}` },
  ]);
  expect(readConversation(writeConversation(messages, 10_000).text)).toEqual(messages);
});

it('a conversation that is too long loses its oldest messages, never its summary, and no call without its result', () => {
  const turns = (count: number): ConversationMessage[] =>
    Array.from({ length: count }, (_, i): ConversationMessage[] => [
      { role: 'user', text: `question ${i}` },
      { role: 'assistant', text: '', toolCalls: [{ id: `c${i}`, name: 'read' }] },
      { role: 'tool', text: 'r'.repeat(i * 7), toolCallId: `c${i}`, toolName: 'read' },
    ]).flat();
  fc.assert(
    fc.property(fc.nat(30), fc.integer({ min: 300, max: 20_000 }), (count, maxBytes) => {
      const messages = [{ role: 'user', text: 'S', summary: true } as ConversationMessage, ...turns(count)];
      const { text, kept } = writeConversation(messages, maxBytes);
      const read = readConversation(text);
      expect(read).toHaveLength(kept);
      expect(read[0]).toEqual(messages[0]);
      expect(read.slice(1)).toEqual(kept === 1 ? [] : messages.slice(1 - kept));
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
      expect(
        groupsOf(read)
          .flat()
          .filter(({ role }) => role === 'tool'),
      ).toHaveLength(read.filter(({ toolCalls }) => toolCalls).length);
    }),
  );
});

it('files that somebody edited, cut or broke are read as far as they make sense', async () => {
  const files = new FakeFiles();
  await (await open(files)).save({ conversation, context });
  const text = files.texts.get('conversation.md') as string;
  files.texts.set('conversation.md', `notes of mine\n${text.replace('List the files.', 'Edited.').replace('"toolFailed":true', '"toolFailed":tr')}`);
  const edited = await open(files);
  // The result whose mark is broken is gone, and said to be; everything else is as it was.
  expect(edited.conversation.map(({ role }) => role)).toEqual(['user', 'user', 'assistant', 'tool', 'assistant']);
  expect(edited.conversation[3]).toMatchObject({ toolCallId: 'c1', text: 'The result of this call is lost.' });
  expect(edited.conversation[1]?.text).toContain('Edited.');
  // With a message more or less, what the endpoint counted was another conversation.
  files.texts.set('conversation.md', writeConversation(conversation.slice(1), 10_000).text);
  expect((await open(files)).context).toEqual({ compactions: 2, flushedAt: 1, tokenFactor: 1 });
  for (const broken of ['{', '[]', '{"context":{"compactions":-1}}', 'null', '']) {
    files.texts.set('context.json', broken);
    expect((await open(files)).context).toBeUndefined();
  }
  files.texts.set('conversation.md', 'x'.repeat(100));
  expect((await open(files, { conversationBytes: 10 })).conversation).toEqual([]);
});

it('what has not changed is not written again, and a write that failed is told and made again', async () => {
  const files = new FakeFiles();
  const memory = await open(files);
  await memory.save({ conversation, context });
  await memory.save({ conversation, context });
  expect(files.writes).toEqual(['conversation.md', 'context.json']);
  files.failing = true;
  await expect(memory.save({ conversation: conversation.slice(1), context })).rejects.toThrow('disk full');
  files.failing = false;
  await memory.save({ conversation: conversation.slice(1), context });
  expect((await open(files)).conversation).toHaveLength(4);
});

it('the scratchpad is bounded, read anew each time, and part of the snapshot', async () => {
  const files = new FakeFiles();
  const memory = await open(files, { scratchpadBytes: 10 });
  await memory.saveScratchpad('remember');
  await memory.save({ conversation, context });
  expect(await memory.snapshot()).toEqual({
    short_term_memory: { conversation_md: files.texts.get('conversation.md'), scratchpad_md: 'remember' },
    conversation_state: { messages: 5, context },
  });
  await expect(memory.saveScratchpad('x'.repeat(11))).rejects.toThrow('10 bytes');
  files.texts.set('scratchpad.md', 'by a tool');
  expect(await memory.scratchpad()).toBe('by a tool');
});
