import { corsHeaders, preflightHeaders } from './cross-origin.js';

const ALLOWED = ['https://app.example'];
const ask = (origin: string | undefined, asks: string | undefined = 'POST', method = 'OPTIONS') => ({ method, origin, asks });

describe('pages of other origins', () => {
  it('that are allowed may read answers and the headers that matter', () => {
    expect(corsHeaders('https://app.example', ALLOWED)).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': 'https://app.example',
      'access-control-expose-headers': expect.stringContaining('ETag, Retry-After'),
    });
    expect(corsHeaders('https://anything.example', ['*'])).toMatchObject({ 'access-control-allow-origin': '*' });
  });

  it('that are not allowed may read nothing, and nobody may send cookies', () => {
    for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null', undefined]) {
      expect(corsHeaders(origin, ALLOWED)).toEqual({ vary: 'Origin' });
      expect(preflightHeaders(ask(origin), ALLOWED)).toBeUndefined();
    }
    expect(corsHeaders('https://app.example', [])).toEqual({});
    expect(Object.keys(preflightHeaders(ask('https://x.example'), ['*']) ?? {})).not.toContain('access-control-allow-credentials');
  });

  it('are told beforehand what they may send', () => {
    const headers = preflightHeaders(ask('https://app.example'), ALLOWED);
    expect(headers?.['access-control-allow-methods']).toContain('DELETE');
    for (const name of ['Authorization', 'Idempotency-Key', 'If-Match', 'Last-Event-ID']) expect(headers?.['access-control-allow-headers']).toContain(name);
    expect(preflightHeaders({ method: 'OPTIONS', origin: 'https://app.example', asks: undefined }, ALLOWED)).toBeUndefined();
    expect(preflightHeaders(ask('https://app.example', 'POST', 'POST'), ALLOWED)).toBeUndefined();
  });
});
