import fc from 'fast-check';
import { canResume, formatCursor, judgeHint, MAX_REPLAY, parseCursor } from './inbox-cursor.js';

describe('inbox cursors', () => {
  it('property: come back as they were written', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), fc.nat(), (epoch, offset) => {
        expect(parseCursor(formatCursor({ epoch, offset }))).toEqual({ epoch, offset });
      }),
    );
  });

  it.each(['', ':', 'a:', ':1', 'a:-1', 'a:01', 'a:1.5', 'a:1:2', 'ä:1', 'a:9999999999999999'])('%j is none', (text) => {
    expect(parseCursor(text)).toBeUndefined();
  });

  it('tell what a hint means', () => {
    const position = { epoch: 'e', offset: 5 };
    expect([4, 5, 6, 7].map((offset) => judgeHint(position, { epoch: 'e', offset }))).toEqual(['known', 'known', 'next', 'gap']);
    expect(judgeHint(position, { epoch: 'f', offset: 6 })).toBe('rebuilt');
  });

  it('can be resumed only within the same epoch, not ahead of the head, and not from too far back', () => {
    const head = { epoch: 'e', offset: 5_000 };
    expect(canResume(undefined, head)).toBe(false);
    expect(canResume({ epoch: 'f', offset: 4_999 }, head)).toBe(false);
    expect(canResume({ epoch: 'e', offset: 5_001 }, head)).toBe(false);
    expect(canResume({ epoch: 'e', offset: 5_000 }, head)).toBe(true);
    expect(canResume({ epoch: 'e', offset: 5_000 - MAX_REPLAY }, head)).toBe(true);
    expect(canResume({ epoch: 'e', offset: 4_999 - MAX_REPLAY }, head)).toBe(false);
  });
});
