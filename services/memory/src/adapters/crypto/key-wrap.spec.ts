import { randomBytes } from 'node:crypto';
import { KeyWrap, masterKeyFrom } from './key-wrap.js';

const first = masterKeyFrom('the first secret of at least 32 bytes');
const second = masterKeyFrom('the second secret of at least 32 bytes');
const key = randomBytes(32);

describe('wrapping the key of a tenant', () => {
  it('gives it back to the same tenant and master key only', () => {
    const wrap = new KeyWrap(first);
    const wrapped = wrap.wrap(key, 'acme');
    expect(Buffer.from(wrap.open(wrapped, 'acme') ?? [])).toEqual(key);
    expect(wrap.open(wrapped, 'other')).toBeUndefined();
    expect(new KeyWrap(second).open(wrapped, 'acme')).toBeUndefined();
    expect(wrap.open(`${wrapped.slice(0, -4)}AAAA`, 'acme')).toBeUndefined();
    expect(wrap.open('nonsense', 'acme')).toBeUndefined();
    expect(wrapped).not.toContain(key.toString('base64url'));
  });

  it('never looks the same twice, and is opened while the master key changes', () => {
    const wrapped = new KeyWrap(first).wrap(key, 'acme');
    expect(new KeyWrap(first).wrap(key, 'acme')).not.toBe(wrapped);
    const rotating = new KeyWrap(second, first);
    expect(Buffer.from(rotating.open(wrapped, 'acme') ?? [])).toEqual(key);
    expect(rotating.isOld(wrapped)).toBe(true);
    expect(rotating.isOld(rotating.wrap(key, 'acme'))).toBe(false);
  });
});
