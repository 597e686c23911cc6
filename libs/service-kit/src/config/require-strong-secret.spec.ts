import { randomBytes } from 'node:crypto';
import { requireStrongSecret } from './require-strong-secret.js';

const check =
  (value: string | undefined, env = 'production') =>
  () =>
    requireStrongSecret(value, { name: 'VM_TOKEN_SECRET', minBytes: 16, env });

describe('requireStrongSecret', () => {
  it('lets a random secret pass, in any usual encoding', () => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      const secret = randomBytes(32).toString(encoding);
      expect(check(secret)()).toBe(secret);
    }
  });

  it.each([
    ['missing', undefined, 'is not set'],
    ['blank', '   ', 'is not set'],
    ['short', 'Xk29fPq1', 'has 8 bytes, production needs at least 16'],
    ['known', 'changeme', 'well-known'],
    ['known with decoration', 'Change-Me-123456789012', 'well-known'],
    ['known and repeated', 'secretsecretsecretsecret', 'well-known'],
    ['a repetition', 'abababababababababababab', 'repeats a few characters'],
  ])('refuses a %s value in production', (_kind, value, reason) => {
    expect(check(value)).toThrow(reason);
    expect(check(value)).toThrow('VM_TOKEN_SECRET');
  });

  it('never quotes the value', () => {
    expect(check('Xk29fPq1')).not.toThrow('Xk29fPq1');
  });

  it('accepts any value outside production, but not none', () => {
    expect(check('dev', 'development')()).toBe('dev');
    expect(check(undefined, 'test')).toThrow('is not set');
  });
});
