import { isStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { milliseconds } from './duration.js';
import { agentOfSession, mapSession } from './map-session.js';
import { mapTranscript } from './transcript.js';

const START = '2026-11-20T08:00:00.000Z';
const said = (id: string, parentId: string | null, role: string, content: unknown) => ({
  type: 'message',
  id,
  parentId,
  timestamp: START,
  message: { role, content },
});
const text = (words: string) => [{ type: 'text', text: words }];

describe('a transcript of OpenClaw', () => {
  it('gives what was said on the branch that counts; the rest is counted', () => {
    const { messages, left } = mapTranscript(
      's',
      [
        { type: 'session', id: 's', timestamp: START },
        said('1', null, 'user', text('Hello')),
        said('2', '1', 'assistant', text('an answer that was taken back')),
        said('3', '1', 'assistant', [
          { type: 'thinking', thinking: 'hm' },
          { type: 'toolCall', name: 'read' },
        ]),
        said('4', '3', 'toolResult', text('secret of a file')),
        said('5', '4', 'assistant', [...text('one'), ...text('two')]),
        undefined,
        { type: 'compaction', id: '6', parentId: '5', summary: 'they said hello' },
      ],
      START,
    );
    expect(messages.map(({ id, role, text: words }) => [id, role, words])).toEqual([
      ['openclaw:s:1', 'user', 'Hello'],
      ['openclaw:s:5', 'assistant', 'one\ntwo'],
    ]);
    expect(left).toEqual({
      'lines that are no entries': 1,
      'notes of the agent program': 2,
      'messages of abandoned branches': 1,
      'messages without text (calls of tools, thoughts, pictures)': 1,
      'results of tools': 1,
    });
  });

  it('accounts for every entry, whatever the entries are, and gives ids that do not repeat', () => {
    const entry = fc.oneof(
      fc.record({ type: fc.constantFrom('message', 'custom', 'new'), id: fc.string(), parentId: fc.option(fc.string()), message: fc.anything() }),
      fc.record({
        type: fc.constant('message'),
        id: fc.uuid(),
        message: fc.record({ role: fc.constantFrom('user', 'assistant', 'tool', 'x'), content: fc.oneof(fc.string(), fc.anything()) }),
      }),
      fc.anything(),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const { messages, left } = mapTranscript('s', entries, START);
        const { 'ends of texts that were too long': cut = 0, ...reasons } = left;
        expect(cut).toBe(0);
        expect(messages.length + Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(entries.length);
        for (const { at, text: words } of messages) {
          expect(words).not.toBe('');
          expect(new Date(at).toISOString()).toBe(at);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('a text that is too long is cut and says so', () => {
    const { messages, left } = mapTranscript('s', [said('1', null, 'user', 'x'.repeat(300_000))], START);
    expect(messages[0]?.text).toHaveLength(200_000);
    expect(left).toEqual({ 'ends of texts that were too long': 1 });
  });

  it.each([
    ['of many bytes', '漢'.repeat(190_000)],
    ['with much to escape', '\u0001'.repeat(150_000)],
    ['of pairs', '😀'.repeat(200_000)],
  ])('a text %s is cut to what a transcript keeps: else the import would end there, each time again', (_title, long) => {
    const [message] = mapTranscript('s', [said('1', null, 'user', `x${long}x`)], START).messages;
    const bytes = Buffer.byteLength(JSON.stringify(message?.text));
    expect(bytes).toBeLessThanOrEqual(512 * 1024);
    // As much as there is room for: a character more would be too much, or the text would have too many.
    expect(bytes > 512 * 1024 - 16 || (message?.text.length ?? 0) > 199_990).toBe(true);
    expect(isStorableText(message?.text ?? '')).toBe(true);
  });
});

describe('an entry of a session store', () => {
  it('keeps its key; one without an agent is of the agent in whose store it stands', () => {
    const entry = { sessionId: 'x', subject: 'Operations', lastChannel: 'telegram', lastTo: -1001234, origin: { provider: 'telegram', more: 1 } };
    expect(mapSession({ agentId: 'work', sessionKey: 'agent:main:telegram:group:-1001234', entry })).toEqual({
      sessionKey: 'agent:main:telegram:group:-1001234',
      displayName: 'Operations',
      origin: { provider: 'telegram' },
      lastRoute: { channel: 'telegram', to: '-1001234' },
    });
    // Half a character at the place of the cut, or U+0000: no database takes it.
    const awkward = mapSession({ agentId: 'work', sessionKey: 'x', entry: { label: `${'x'.repeat(99)}😀`, subject: 'a\0b' } });
    expect([awkward.label, awkward.displayName]).toEqual([`${'x'.repeat(99)}\ufffd`, 'a\ufffdb']);
    expect(mapSession({ agentId: 'work', sessionKey: 'hook:7', entry: {} })).toEqual({ sessionKey: 'hook:7', agentId: 'work' });
    expect(['agent:Main:x', 'hook:7'].map((sessionKey) => agentOfSession({ agentId: 'Work', sessionKey, entry: {} }))).toEqual(['main', 'work']);
  });
});

describe('durations as people write them', () => {
  it.each([
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['0m', 0],
    [5, 300_000],
    ['12', 720_000],
    ['soon', undefined],
    [-1, undefined],
    [true, undefined],
  ])('%p is %p ms', (value, expected) => {
    expect(milliseconds(value, 'm')).toBe(expected);
  });
});
