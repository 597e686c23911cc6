import { isStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { jsonBytes, MAX_TEXT_BYTES, requireStorable, toTranscriptText } from './text-limits.js';

test('whatever an agent answers can be stored and sent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.constantFrom(1, 10_000, 600_000), (piece, times) => {
      const text = toTranscriptText(piece.repeat(times));
      expect(isStorableText(text)).toBe(true);
      expect(jsonBytes(text)).toBeLessThanOrEqual(MAX_TEXT_BYTES);
    }),
    { numRuns: 20 },
  );
});

test('an ordinary answer stays as it is, a cut one says so and keeps its beginning', () => {
  expect(toTranscriptText('Grüße 🙂')).toBe('Grüße 🙂');
  const long = 'ä'.repeat(MAX_TEXT_BYTES);
  const cut = toTranscriptText(long);
  expect(cut.endsWith('[cut: the answer was longer than a transcript keeps]')).toBe(true);
  expect(cut.length).toBeGreaterThan(MAX_TEXT_BYTES / 2 - 100);
});

test('a message that could not be stored or sent is refused by name', () => {
  expect(() => requireStorable('a\u0000b', 'message')).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  expect(() => requireStorable('\u0001'.repeat(200_000), 'message')).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }));
  expect(() => requireStorable('x'.repeat(200_000), 'message')).not.toThrow();
});
