import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './list-cursor.js';
import { cutText, equalityForm, identityForm, isIdentifier, storedJson } from './memory-text.js';

describe('forms of a text', () => {
  it('two contents are one memory only when they say exactly the same', () => {
    expect(identityForm(' cafe\u0301\r\n')).toBe(identityForm('café'));
    expect(identityForm('10²')).not.toBe(identityForm('102'));
    expect(identityForm('Pin: AbC')).not.toBe(identityForm('pin: abc'));
  });

  it('a query equals a content whatever the case, width and white space', () => {
    expect(equalityForm('Ｐrefers\n  TABS ')).toBe(equalityForm('prefers tabs'));
    expect(equalityForm('a')).not.toBe(equalityForm('b'));
  });

  it('JSON keeps its shape and loses what Postgres refuses', () => {
    expect(storedJson({ 'a\0': ['x\ud800', 1, null, { b: true }] })).toEqual({ 'a\ufffd': ['x\ufffd', 1, null, { b: true }] });
    const stored = storedJson(JSON.parse('{"__proto__": {"admin": true}}')) as object;
    expect(Object.hasOwn(stored, '__proto__')).toBe(true);
    expect((stored as { admin?: boolean }).admin).toBeUndefined();
  });

  it('identifiers are refused rather than altered', () => {
    expect(isIdentifier('agent:main:数据', 64)).toBe(true);
    for (const text of ['a\0', '\ud800', '数'.repeat(22)]) expect(isIdentifier(text, 64)).toBe(false);
  });

  it('a cut text fits and is a beginning of the whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat({ max: 40 }), (text, maxBytes) => {
        const cut = cutText(text, maxBytes);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(maxBytes);
        expect(text.startsWith(cut)).toBe(true);
      }),
    );
  });
});

describe('a cursor', () => {
  it('comes back as it was', () => {
    expect(decodeCursor(encodeCursor({ createdAt: 1_763_712_000_000, id: 'mem_01abc' }))).toEqual({ createdAt: 1_763_712_000_000, id: 'mem_01abc' });
  });

  it('is refused when it is anything else', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(decodeCursor(text)).toBeUndefined()));
  });
});
