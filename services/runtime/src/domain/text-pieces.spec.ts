import { isStorableText, toStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { TextPieces } from './text-pieces.js';

describe('text pieces', () => {
  it('together are the whole text, wherever the stream was cut, and each can be stored', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200, size: 'max' }), fc.array(fc.nat(200), { maxLength: 10 }), (text, cuts) => {
        const pieces = new TextPieces();
        const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
        const sent = at.slice(1).flatMap((end, i) => pieces.push(text.slice(at[i], end)));
        sent.push(...pieces.flush());
        expect(sent.join('')).toBe(toStorableText(text));
        for (const piece of sent) expect(isStorableText(piece)).toBe(true);
      }),
    );
  });

  it('are bounded and never half a character', () => {
    const sent = new TextPieces().push(`x${'👋'.repeat(20_000)}`);
    expect(sent.length).toBeGreaterThan(2);
    for (const piece of sent) {
      expect(piece.length).toBeLessThanOrEqual(16_384);
      expect(isStorableText(piece)).toBe(true);
    }
  });

  it('forget the rest after a reset', () => {
    const pieces = new TextPieces();
    pieces.push('a\ud83d');
    pieces.reset();
    expect(pieces.flush()).toEqual([]);
  });
});
