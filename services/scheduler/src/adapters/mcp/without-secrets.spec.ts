import { secretsIn, withoutSecrets } from './without-secrets.js';

describe('credentials', () => {
  it('are taken out of everything that comes back', () => {
    const secrets = secretsIn({ url: 'https://mcp.example/mcp', headers: { authorization: 'Bearer abc-def-123', 'x-key': 'k'.repeat(10), 'x-kind': 'short' } });
    expect(secrets).toEqual(['Bearer abc-def-123', 'abc-def-123', 'k'.repeat(10)]);
    const answer = { content: [{ text: 'you are Bearer abc-def-123 / abc-def-123', 'abc-def-123': 1 }], n: 5, none: null };
    expect(withoutSecrets(answer, secrets)).toEqual({ content: [{ text: 'you are *** / ***', '***': 1 }], n: 5, none: null });
  });

  it('of an address are its user, its password, its query and what looks like a token in its path', () => {
    const url = 'https://robot-7:pa%20ss%3Dword@mcp.example/hooks/9f3ab17c22de48aa/tickets?api_key=q%2Fkey-77&v=2';
    const secrets = secretsIn({ url, headers: {} });
    for (const secret of ['robot-7', 'pa%20ss%3Dword', 'pa ss=word', '9f3ab17c22de48aa', 'q%2Fkey-77', 'q/key-77']) expect(secrets).toContain(secret);
    for (const harmless of ['hooks', 'tickets', 'mcp.example', '2']) expect(secrets).not.toContain(harmless);
    expect(withoutSecrets(`no such page: ${url}`, secrets)).toBe('no such page: https://***:***@mcp.example/hooks/***/tickets?api_key=***&v=2');
    expect(secretsIn({ url: 'https://mcp.example/%E0%A4%A?x=%E0%A4%A12', headers: {} })).toEqual(['%E0%A4%A12']);
    expect(secretsIn({ url: 'no address', headers: {} })).toEqual([]);
  });
});
