import fc from 'fast-check';
import { createUlidFactory, isUlid, ulid, ulidTime } from './ulid.js';

const zeros = (count: number): Uint8Array => new Uint8Array(count);
const ones = (count: number): Uint8Array => new Uint8Array(count).fill(0xff);

describe('ulid', () => {
  it('encodes known bytes as the specification does', () => {
    expect(createUlidFactory()(0, zeros)).toBe('00000000000000000000000000');
    expect(createUlidFactory()(1_469_918_176_385, zeros)).toBe('01aryz6s410000000000000000');
    expect(createUlidFactory()(2 ** 48 - 1, ones)).toBe('7zzzzzzzzzfzzzzzzzzzzzzzzz');
  });

  it('gives strictly increasing ids, also within one millisecond and when the clock steps back', () => {
    let now = 1_000;
    const next = createUlidFactory({ now: () => now });
    let last = '';
    for (let i = 0; i < 5_000; i++) {
      if (i === 2_000) now -= 500;
      if (i === 4_000) now += 2_000;
      const id = next();
      expect(id > last).toBe(true);
      last = id;
    }
  });

  it('carries over all bytes when the random part is at its highest', () => {
    const next = createUlidFactory();
    const first = next(5, (count) => Uint8Array.from({ length: count }, (_, i) => (i === 0 ? 0 : 0xff)));
    const second = next(5);
    expect(first.slice(10)).toBe('03zzzzzzzzzzzzzz');
    expect(second.slice(10)).toBe('0400000000000000');
  });

  it('keeps any time and any randomness readable and valid', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (time, random) => {
        const id = createUlidFactory()(time, () => random);
        expect(isUlid(id)).toBe(true);
        expect(ulidTime(id)).toBe(time);
      }),
    );
  });

  it('sorts as text in the order of time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 2 }), fc.integer({ min: 1, max: 1_000_000 }), (time, later) => {
        const next = createUlidFactory();
        expect(next(time) < next(Math.min(time + later, 2 ** 48 - 1))).toBe(true);
      }),
    );
  });

  it('never repeats an id', () => {
    const ids = new Set(Array.from({ length: 20_000 }, () => ulid()));
    expect(ids.size).toBe(20_000);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 48])('refuses the time %p and quotes it', (time) => {
    expect(() => ulid(time)).toThrow(String(time));
  });

  it('refuses to read what is no ULID', () => {
    for (const text of ['', 'x', '01ARYS9Y810000000000000000', '81arys9y810000000000000000', '01arys9y81000000000000000u', 7, null])
      expect(isUlid(text)).toBe(false);
    expect(() => ulidTime('nonsense')).toThrow('nonsense');
  });
});
