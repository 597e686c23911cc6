import { nextNonce } from './nonces.js';

it('no nonce comes twice, and each has 192 bits', () => {
  const nonces = Array.from({ length: 1_000 }, nextNonce);
  expect(new Set(nonces).size).toBe(nonces.length);
  for (const nonce of nonces) expect(Buffer.from(nonce, 'base64url')).toHaveLength(24);
});
