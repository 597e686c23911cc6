import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { PAIRING_ALPHABET, pairingCode, readPairingCode } from './pairing-code.js';

test('codes are eight characters that nobody mistakes for another, whatever the random bytes', () => {
  expect(PAIRING_ALPHABET).not.toMatch(/[ILOU01]/);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      let asked = 0;
      // A source that first gives only these bytes and then fair ones: unfair bytes are left out, not bent.
      const code = pairingCode((count) => (asked++ === 0 ? bytes : new Uint8Array(count).fill(3)));
      expect(code).toMatch(new RegExp(`^[${PAIRING_ALPHABET}]{8}$`));
    }),
  );
});

test('every character is about equally likely', () => {
  const counts = new Map<string, number>();
  for (let n = 0; n < 3_000; n += 1) for (const character of pairingCode(randomBytes)) counts.set(character, (counts.get(character) ?? 0) + 1);
  const expected = (3_000 * 8) / PAIRING_ALPHABET.length;
  expect(counts.size).toBe(PAIRING_ALPHABET.length);
  for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(expected * 0.3);
});

test('a code is read as people type it', () => {
  expect(readPairingCode(' kx7m-2qpr ')).toBe('KX7M2QPR');
});
