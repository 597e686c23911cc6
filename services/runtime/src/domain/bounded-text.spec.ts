import { isStorableText } from '@plexus/kernel';
import fc from 'fast-check';
import { HeadAndTail, headAndTail } from './bounded-text.js';

describe('bounded text', () => {
  it('keeps a short text, and head and tail of a long one, saying how much is missing', () => {
    expect(headAndTail('short', 10)).toBe('short');
    expect(headAndTail('0123456789', 4)).toBe('01\n… 6 characters left out …\n89');
  });

  it('comes to the same in pieces as at once, in bounded memory', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 40 }), fc.integer({ min: 2, max: 40 }), (pieces, max) => {
        const collected = new HeadAndTail(max);
        for (const piece of pieces) collected.push(piece);
        const text = pieces.join('');
        expect(collected.toString()).toBe(text.length <= 2 * Math.floor(max / 2) ? text : headAndTail(text, Math.floor(max / 2) * 2));
      }),
    );
  });

  it('never cuts a character in half', () => {
    expect(isStorableText(headAndTail('👋'.repeat(10), 6))).toBe(true);
    const collected = new HeadAndTail(6);
    collected.push('👋'.repeat(10));
    expect(isStorableText(collected.toString())).toBe(true);
  });
});
