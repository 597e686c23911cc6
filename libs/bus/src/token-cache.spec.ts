import { TokenCache } from './token-cache.js';

it('gives back the same token, and never another that only ends alike', () => {
  const cache = new TokenCache(2);
  const ending = 'x'.repeat(40);
  expect(cache.intern(`a${ending}`)).toBe(`a${ending}`);
  expect(cache.intern(`b${ending}`)).toBe(`b${ending}`);
  expect(cache.intern(`a${ending}`)).toBe(`a${ending}`);
});

it('stays bounded', () => {
  const cache = new TokenCache(2);
  for (let n = 0; n < 100; n += 1) expect(cache.intern(`token-${n}`)).toBe(`token-${n}`);
});
