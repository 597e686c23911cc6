import { parsePlatformConfig } from '../parse.js';

const ISSUER = { issuer: 'https://id.example', jwksUrl: 'https://id.example/keys', audience: 'plexus' };
const issues = (...issuers: unknown[][]) => {
  const parsed = parsePlatformConfig({ tenants: Object.fromEntries(issuers.map((list, index) => [`t${index}`, { issuers: list }])) });
  return parsed.ok ? [] : parsed.error.map(({ path, code }) => `${path} ${code}`);
};

describe('issuers of tokens', () => {
  it('have their usual claims by default', () => {
    const parsed = parsePlatformConfig({ tenants: { acme: { issuers: [ISSUER] } } });
    expect(parsed.ok && parsed.value.tenants.acme?.issuers).toEqual([{ ...ISSUER, userClaim: 'sub', scopesClaim: 'scope' }]);
  });

  it('keep their keys behind https, except on this machine', () => {
    for (const jwksUrl of ['https://10.0.0.1/k', 'http://127.0.0.1:8080/k', 'http://[::1]/k', 'http://localhost/k'])
      expect(issues([{ ...ISSUER, jwksUrl }])).toEqual([]);
    for (const jwksUrl of [
      'http://id.example/k',
      'http://10.0.0.1/k',
      'https://u:p@id.example/k',
      'file:///etc/passwd',
      'keys',
      'http://127.0.0.1.evil.example/k',
    ])
      expect([jwksUrl, issues([{ ...ISSUER, jwksUrl }]).length]).toEqual([jwksUrl, 1]);
  });

  it('name an audience, and one audience of one issuer is one tenant', () => {
    expect(issues([{ issuer: ISSUER.issuer, jwksUrl: ISSUER.jwksUrl }])).toHaveLength(1);
    expect(issues([ISSUER], [{ ...ISSUER, audience: 'other' }])).toEqual([]);
    expect(issues([ISSUER], [ISSUER])).toEqual([expect.stringMatching(/t1.*issuers.*duplicate_issuer/)]);
    expect(issues([ISSUER, ISSUER])).toHaveLength(1);
  });
});
