import { isStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { splitText } from './split-text.js';

it.each([
  ['at a paragraph', 'aaaa\n\nbbbb cccc', 10, ['aaaa', 'bbbb cccc']],
  ['at a line', 'aaaa\nbbbb cccc', 10, ['aaaa', 'bbbb cccc']],
  ['at a sentence', 'One. Two and three', 12, ['One.', 'Two and', 'three']],
  ['at a word', 'aaaa bbbb cccc', 9, ['aaaa bbbb', 'cccc']],
  ['anywhere when there is nothing to cut at', 'aaaaaaaaaa', 4, ['aaaa', 'aaaa', 'aa']],
  ['not within a character', 'aaa😀b', 4, ['aaa', '😀b']],
  ['nowhere when it fits', ' as it is ', 10, [' as it is ']],
  ['an empty text into one empty part', '', 10, ['']],
])('cuts %s', (_what, text, limit, parts) => expect(splitText(text, limit)).toEqual(parts));

it('loses nothing but white space, makes no part too long or empty, and cuts no character', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '.', '😀', 'é'), maxLength: 400 });
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 60 }), (given, limit) => {
      const parts = splitText(given, limit);
      expect(parts.join('').replace(/\s/g, '')).toBe(given.replace(/\s/g, ''));
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(limit);
        expect(isStorableText(part)).toBe(true);
        if (parts.length > 1) expect(part.trim()).not.toBe('');
      }
    }),
  );
});
