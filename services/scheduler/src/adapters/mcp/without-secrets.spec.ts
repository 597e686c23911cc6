import { secretsIn, withoutSecrets } from './without-secrets.js';

describe('credentials', () => {
  it('are taken out of everything that comes back', () => {
    const secrets = secretsIn({ authorization: 'Bearer abc-def-123', 'x-key': 'k'.repeat(10), 'x-kind': 'short' });
    expect(secrets).toEqual(['Bearer abc-def-123', 'abc-def-123', 'k'.repeat(10)]);
    const answer = { content: [{ text: 'you are Bearer abc-def-123 / abc-def-123', 'abc-def-123': 1 }], n: 5, none: null };
    expect(withoutSecrets(answer, secrets)).toEqual({ content: [{ text: 'you are *** / ***', '***': 1 }], n: 5, none: null });
  });
});
