import { toolPolicy, toolRulesOf } from './tool-policy.js';

const allowed = (tools: unknown, ...names: string[]): string[] => names.filter(toolPolicy(toolRulesOf({ tools })));

describe('the tool policy of a session', () => {
  it('allows everything where nothing is said', () => {
    expect(allowed(undefined, 'exec', 'anything')).toEqual(['exec', 'anything']);
    expect(allowed({}, 'exec')).toEqual(['exec']);
    expect(allowed({ allow: [] }, 'exec')).toEqual(['exec']);
  });

  it('refuses first, and allows what matches when something is listed', () => {
    expect(allowed({ allow: ['group:fs'], deny: ['write'] }, 'read', 'write', 'edit', 'exec')).toEqual(['read', 'edit']);
    expect(allowed({ allow: ['read'], alsoAllow: ['mcp__*'] }, 'read', 'mcp__a__b', 'exec')).toEqual(['read', 'mcp__a__b']);
    expect(allowed({ deny: ['*'] }, 'read')).toEqual([]);
  });

  it('reads names trimmed, in any case and by their aliases', () => {
    expect(allowed({ deny: [' BASH '] }, 'exec', 'Exec ', 'read')).toEqual(['read']);
  });

  it.each([
    ['mcp__*', 'mcp__x', true],
    ['mcp__*', 'xmcp__x', false],
    ['*search', 'memory_search', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'acb', false],
    ['aa*aa', 'aaa', false],
  ])('matches %s with %s: %s', (pattern, name, expected) => {
    expect(allowed({ allow: [pattern] }, name).length === 1).toBe(expected);
  });

  it('wants every set of rules to agree', () => {
    expect(allowed([{ allow: ['read', 'exec'] }, { deny: ['exec'] }], 'read', 'exec', 'write')).toEqual(['read']);
  });

  it('is not impressed by lists that are none', () => {
    expect(allowed({ allow: 'read', deny: [1, null] }, 'exec')).toEqual(['exec']);
    expect(allowed('none', 'exec')).toEqual(['exec']);
  });
});
