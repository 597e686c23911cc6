import fc from 'fast-check';
import { buildSubject, decodeToken, encodeToken, parseSubject, SubjectError } from './subject.js';

const TOKEN = /^[a-z0-9][a-z0-9_-]*$/;
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '\ud800', '\u0000', 'x--', 'x--a', 'A.b>*', 'agent:main:main', 'me@example.org', '数据'),
);

describe('subject tokens', () => {
  it('encode any string reversibly into one legal token', () => {
    fc.assert(
      fc.property(anyText, (id) => {
        const token = encodeToken(id);
        expect(token).toMatch(TOKEN);
        expect(decodeToken(token)).toBe(id);
      }),
      { numRuns: 2_000 },
    );
  });

  it('leave ids that already are tokens as they are', () => {
    for (const id of ['ses_9k2', '01jd2x3y4z5a6b7c8d9e0f1g2h', 'a', '0-_']) expect(encodeToken(id)).toBe(id);
  });

  it('never map two strings to one token', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => (encodeToken(a) === encodeToken(b)) === (a === b)),
      { numRuns: 2_000 },
    );
  });

  it.each(['', 'A', 'a.b', 'x--A', 'x--_4', 'x--plain', 'x--_61', '-a', '_'])('refuse %j, which encodeToken never produces', (token) => {
    expect(() => decodeToken(token)).toThrow(SubjectError);
  });
});

describe('subjects', () => {
  const tenant = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
  const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);

  it('are read back as they were built, whatever the key', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('in', 'evt', 'cmd', 'rpc', 'rt', 'log', 'dlq'),
        tenant,
        word,
        word,
        fc.integer({ min: 1, max: 99 }),
        fc.array(anyText, { maxLength: 3 }),
        (kind, tenantId, domain, name, version, key) => {
          const parts = { kind: kind as 'evt', tenant: tenantId, domain, name, version, key };
          fc.pre(key.join('').length < 60);
          expect(parseSubject(buildSubject(parts))).toEqual(parts);
        },
      ),
    );
  });

  it('keep the token _ for "no tenant" and "everybody"', () => {
    const parts = { kind: 'log' as const, tenant: '_', domain: 'push', name: 'policy', version: 1, key: ['7', '_'] };
    expect(buildSubject(parts)).toBe('plexus.log._.push.policy.v1.7._');
    expect(parseSubject('plexus.log._.push.policy.v1.7._')).toEqual(parts);
  });

  it.each([
    ['a tenant with a dot', { tenant: 'a.b' }],
    ['an upper-case tenant', { tenant: 'Acme' }],
    ['an empty tenant', { tenant: '' }],
    ['a wildcard as domain', { domain: '*' }],
    ['version 0', { version: 0 }],
    ['a subject beyond every limit', { key: ['x'.repeat(2_000)] }],
  ])('refuse %s', (_title, change) => {
    expect(() => buildSubject({ kind: 'evt', tenant: 'acme', domain: 'session', name: 'event', version: 1, key: ['k'], ...change })).toThrow(SubjectError);
  });

  it.each([
    '',
    'plexus',
    'plexus.evt.acme.session.event',
    'other.evt.acme.session.event.v1.k',
    'plexus.nope.acme.session.event.v1',
    'plexus.evt.acme.session.event.vx.k',
    'plexus.evt.acme.session.event.v1.K',
  ])('refuse to read %j', (subject) => {
    expect(() => parseSubject(subject)).toThrow(SubjectError);
  });
});
