import fc from 'fast-check';
import { isSecretName, redact, scrubText } from './redact.js';

describe('isSecretName', () => {
  it.each([
    'token',
    'accessToken',
    'GATEWAY_TOKEN',
    'Authorization',
    'password',
    'secret',
    'clientSecret',
    'apiKey',
    'api_key',
    'X-Api-Key',
    'ticket',
    'nkeySeed',
    'PLEXUS_MASTER_KEY',
    'Plexus-Auth',
    'cookie',
    'set-cookie',
  ])('%s is a secret', (name) => expect(isSecretName(name)).toBe(true));

  it.each([
    'GATEWAY_TOKEN_FILE',
    'credentialId',
    'tokenCount',
    'sessionKey',
    'idempotencyKey',
    'key',
    'keys',
    'secretName',
    'ticketTtl',
    'author',
    'passengers',
  ])('%s is not', (name) => expect(isSecretName(name)).toBe(false));
});

describe('scrubText', () => {
  it.each([
    ['Authorization: Bearer abcdef123456', 'Authorization: Bearer [redacted]'],
    ['nats://svc:hunter2@nats:4222', 'nats://[redacted]@nats:4222'],
    ['GET /ws?ticket=abc123&x=1', 'GET /ws?ticket=[redacted]&x=1'],
    ['seed SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY!', 'seed [redacted]!'],
    ['token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl is no good', 'token [redacted] is no good'],
    ['key sk-proj-abcdefghijklmnop', 'key [redacted]'],
  ])('takes the secret out of %j', (text, expected) => expect(scrubText(text)).toBe(expected));

  it('leaves ordinary text alone', () => {
    const text = 'session agent:main:main of https://example.org/a?b=c took 12 ms';
    expect(scrubText(text)).toBe(text);
  });
});

describe('redact', () => {
  it('replaces secrets at any depth, but not counts of tokens', () => {
    const headers = new Map([['Plexus-Auth', 'eyJ…']]);
    expect(redact({ user: 'me', auth: { token: 't', nested: [{ apiKey: 'k' }] }, usage: { tokens: 532 }, headers })).toEqual({
      user: 'me',
      auth: { token: '[redacted]', nested: [{ apiKey: '[redacted]' }] },
      usage: { tokens: 532 },
      headers: { 'Plexus-Auth': '[redacted]' },
    });
  });

  it('makes errors plain, with code and causes and without the secrets in their texts', () => {
    const error = Object.assign(new Error('cannot reach postgresql://u:hunter2@db/x', { cause: new TypeError('refused') }), {
      code: 'UNAVAILABLE',
      password: 'hunter2',
    });
    const plain = redact({ error }) as { error: Record<string, unknown> };
    expect(plain.error).toMatchObject({
      type: 'Error',
      code: 'UNAVAILABLE',
      message: 'cannot reach postgresql://[redacted]@db/x',
      cause: { type: 'TypeError', message: 'refused' },
    });
    expect(JSON.stringify(plain)).not.toContain('hunter2');
  });

  it('survives loops, very deep values and getters that throw', () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    const hostile = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(JSON.stringify(redact({ loop, hostile, big: 10n, bytes: new Uint8Array(3) }))).toContain('"hostile":"[unreadable: Error]"');
  });

  it('never throws, gives JSON, and shows no value under a secret name', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true, withTypedArray: true }),
        fc.stringMatching(/^[A-Z]{20}$/),
        (value, marker) => {
          const text = JSON.stringify(redact({ value, deeper: { password: marker } }));
          expect(text).not.toContain(marker);
        },
      ),
    );
  });
});
