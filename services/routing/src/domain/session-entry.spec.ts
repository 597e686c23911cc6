import fc from 'fast-check';
import { mergeEntry, type SessionEntry } from './session-entry.js';

const text = fc.option(fc.constantFrom('', '  ', 'a', 'b', 'C:1'), { nil: undefined });
const fields = { label: text, provider: text, surface: text, chatType: text, from: text, to: text, accountId: text, threadId: text };
const route = fc.record({ channel: fc.constantFrom('telegram', 'slack', ''), to: fc.constantFrom('1', '2', ' '), accountId: text, threadId: text });
const entry: fc.Arbitrary<SessionEntry> = fc
  .record({
    chatType: text,
    channel: text,
    groupId: text,
    displayName: text,
    threadId: text,
    origin: fc.option(fc.record(fields), { nil: undefined }),
    lastRoute: fc.option(route, { nil: undefined }),
  })
  .map((made) => made as SessionEntry);

const blank = (value: unknown) => value === undefined || (typeof value === 'string' && value.trim() === '');
const merged = (...told: SessionEntry[]) => told.reduce(mergeEntry, {});

test('what says nothing erases nothing, what says something overwrites, field by field', () => {
  fc.assert(
    fc.property(entry, entry, (first, second) => {
      const known = mergeEntry({}, first);
      const after = mergeEntry(known, second);
      for (const name of ['chatType', 'channel', 'groupId', 'displayName', 'threadId'] as const)
        expect(after[name]).toEqual(blank(second[name]) ? known[name] : second[name]);
      for (const name of Object.keys(fields) as (keyof typeof fields)[]) {
        expect(after.origin?.[name]).toEqual(blank(second.origin?.[name]) ? known.origin?.[name] : second.origin?.[name]);
      }
    }),
  );
});

test('merging is idempotent and what was stored never holds a blank', () => {
  fc.assert(
    fc.property(entry, entry, (first, second) => {
      const once = merged(first, second);
      expect(mergeEntry(once, second)).toEqual(once);
      expect(mergeEntry(once, {})).toEqual(once);
      const values = [once, once.origin ?? {}, once.lastRoute ?? {}].flatMap((part) => Object.values(part));
      expect(values.filter((value) => typeof value !== 'object' && blank(value))).toEqual([]);
    }),
  );
});

test('a last route is one address: it is replaced as a whole, and a half one is none', () => {
  const first = mergeEntry({}, { lastRoute: { channel: 'telegram', to: '-100', threadId: '7', accountId: 'work' } });
  expect(mergeEntry(first, { lastRoute: { channel: 'telegram', to: '-200' } }).lastRoute).toEqual({ channel: 'telegram', to: '-200' });
  expect(mergeEntry(first, { lastRoute: { channel: '', to: '-300' } }).lastRoute).toEqual(first.lastRoute);
});
