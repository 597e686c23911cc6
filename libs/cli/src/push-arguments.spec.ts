import { grantScopeOf, instantOf, jsonOf, scopeOf, secondsOf } from './push-arguments.js';

describe('arguments of plexus push', () => {
  it.each([
    ['all', { scopeKind: 'all', scopeRef: '' }],
    ['case:a:b', { scopeKind: 'case', scopeRef: 'a:b' }],
    ['type:com.acme.*', { scopeKind: 'type', scopeRef: 'com.acme.*' }],
  ])('%s is a scope', (text, scope) => {
    expect(scopeOf(text)).toEqual(scope);
  });

  it.each(['case', 'case:', 'colour:red', ''])('%j is none', (text) => {
    expect(() => scopeOf(text)).toThrow('is no scope');
  });

  it('access is granted to cases and topics', () => {
    expect(grantScopeOf('topic:t')).toEqual({ scopeKind: 'topic', scopeRef: 't' });
    expect(() => grantScopeOf('region:eu')).toThrow('cases and topics');
  });

  it('times are instants, or so long from now', () => {
    expect([secondsOf('90s'), secondsOf('2h'), secondsOf('1w')]).toEqual([90, 7_200, 604_800]);
    expect(instantOf('30m', 0)).toBe('1970-01-01T00:30:00.000Z');
    expect(instantOf('2026-11-22T08:00:00+02:00')).toBe('2026-11-22T06:00:00.000Z');
    for (const wrong of ['tomorrow', '2026-11-22', '2026-11-22T08:00', '0h', '5y']) expect(() => instantOf(wrong)).toThrow('is no instant');
  });

  it('JSON is an object, and what is none is said', () => {
    expect(jsonOf('{"path":"a"}')).toEqual({ path: 'a' });
    for (const wrong of ['[1]', '{', 'null', '@/nowhere/at/all']) expect(() => jsonOf(wrong)).toThrow();
  });
});
