import fc from 'fast-check';
import { CodeAllowance } from './code-allowance.js';
import { readAddress } from './contact-address.js';
import { changedPreferences, isTimeZone, type PreferenceDraft } from './preferences.js';
import { silenceIssues, silenceState } from './silence.js';
import { bytesOf, draftIssues, sameTerms, type SubscriptionDraft } from './subscription-terms.js';

const draft: SubscriptionDraft = { scopeKind: 'case', scopeRef: 'c', name: '', minSeverity: 'low', typePatterns: [], level: 'all' };

describe('addresses', () => {
  it.each<['email' | 'webhook' | 'webpush', string, string | undefined]>([
    ['email', ' Me@Example.ORG ', 'Me@example.org'],
    ['email', 'a.b+c@münchen.example', 'a.b+c@xn--mnchen-3ya.example'],
    ['email', 'me@localhost', undefined],
    ['email', 'me', undefined],
    ['email', 'a@b@example.org', undefined],
    ['email', 'me@example.org\r\nBcc: you@example.org', undefined],
    ['email', '"me" <me@example.org>', undefined],
    ['email', 'a,b@example.org', undefined],
    ['webhook', 'https://Example.org/hook?x=1', 'https://example.org/hook?x=1'],
    ['webhook', 'https://me:secret@example.org/', undefined],
    ['webhook', 'https://example.org/#a', undefined],
    ['webhook', 'ftp://example.org/', undefined],
    ['webhook', 'nonsense', undefined],
    ['webpush', 'https://push.example.org/abc', 'https://push.example.org/abc'],
    ['webpush', 'http://push.example.org/abc', undefined],
  ])('%s %j is kept as %j', (channel, written, kept) => {
    expect(readAddress(channel, written)).toMatchObject(kept === undefined ? { ok: false } : { ok: true, address: kept });
  });

  it('never throw, and an address that is kept is read again as itself', () => {
    fc.assert(
      fc.property(fc.constantFrom('email', 'webhook', 'webpush'), fc.oneof(fc.string(), fc.emailAddress(), fc.webUrl()), (channel, written) => {
        const read = readAddress(channel as 'email', written);
        if (read.ok) expect(readAddress(channel as 'email', read.address)).toEqual(read);
      }),
    );
  });
});

describe('preferences', () => {
  const said = (types: string[], value: 'on' | 'off', id?: string): PreferenceDraft => ({
    match: { types },
    channel: '*',
    value,
    ...(id === undefined ? {} : { id }),
  });
  const change = (put: PreferenceDraft[], rest = {}) => ({ put, remove: [], replace: false, ...rest });

  it('the same match and channel again replace the earlier sentence in its place', () => {
    const one = changedPreferences([], change([said(['b', 'a'], 'on'), said(['c'], 'on')]));
    const two = changedPreferences(one, change([said(['a', 'b'], 'off')]));
    expect(two.map(({ id, value }) => [id, value])).toEqual([
      [one[0]?.id, 'off'],
      [one[1]?.id, 'on'],
    ]);
  });

  it('an id keeps its sentence even when what it is about changes, and nothing is said twice', () => {
    const one = changedPreferences([], change([said(['a'], 'on', 'p1'), said(['b'], 'on', 'p2')]));
    const two = changedPreferences(one, change([said(['b'], 'off', 'p1')]));
    expect(two).toEqual([{ ...said(['b'], 'off', 'p1') }]);
  });

  it('replace leaves only what is put, remove takes by id', () => {
    const one = changedPreferences([], change([said(['a'], 'on', 'p1'), said(['b'], 'on', 'p2')]));
    expect(changedPreferences(one, change([said(['c'], 'on', 'p3')], { replace: true })).map(({ id }) => id)).toEqual(['p3']);
    expect(changedPreferences(one, change([], { remove: ['p1'] })).map(({ id }) => id)).toEqual(['p2']);
  });

  it('saying it again changes nothing', () => {
    const drafts = fc.array(
      fc.record({
        match: fc.record({ types: fc.array(fc.constantFrom('a', 'b', 'c')) }),
        channel: fc.constantFrom('*', 'email'),
        value: fc.constantFrom('on' as const, 'off' as const),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(drafts, (put) => {
        const once = changedPreferences([], change(put));
        expect(changedPreferences(once, change(put))).toEqual(once);
        expect(new Set(once.map(({ id }) => id)).size).toBe(once.length);
      }),
    );
  });

  it.each([
    ['Europe/Berlin', true],
    ['UTC', true],
    ['Asia/Shanghai', true],
    ['+02:00', false],
    ['Mars/Olympus', false],
    ['', false],
    ['../etc', false],
  ])('%j is a time zone: %s', (zone, expected) => {
    expect(isTimeZone(zone)).toBe(expected);
  });
});

describe('silences', () => {
  const matchers = [{ label: 'case', op: '=' as const, value: 'c' }];
  const DAY = 86_400_000;

  it('hold in [from, to)', () => {
    expect([9, 10, 19, 20].map((now) => silenceState({ from: 10, to: 20 }, now))).toEqual(['pending', 'active', 'active', 'expired']);
    expect(silenceState({ from: 10, to: 20, endedAt: 5 }, 6)).toBe('expired');
  });

  it.each([
    [{ matchers, from: 10, to: 10 }, 'to'],
    [{ matchers, from: 0, to: 5 }, 'to'],
    [{ matchers, from: 10, to: 11 + 90 * DAY }, 'to'],
    [{ matchers, from: 400 * DAY, to: 401 * DAY }, 'from'],
    [{ matchers: [{ label: 'colour', op: '=' as const, value: 'red' }], from: 10, to: 20 }, 'matchers.0.label'],
  ])('%j is refused at %s', (silence, path) => {
    expect(silenceIssues(silence, 6).map((issue) => issue.path)).toContain(path);
  });
});

describe('terms of subscriptions', () => {
  it('say the same whatever the order of a predicate’s keys', () => {
    const a = { ...draft, predicate: { path: 'a', op: 'eq', value: 1 } } as SubscriptionDraft;
    const b = { ...draft, predicate: { value: 1, op: 'eq', path: 'a' } } as SubscriptionDraft;
    expect(sameTerms(a, b)).toBe(true);
    expect(sameTerms(a, draft)).toBe(false);
    expect(bytesOf(a)).toBeGreaterThan(bytesOf(draft));
  });

  it.each([
    [{ mutedUntil: 5 }, 'mutedUntil'],
    [{ validFrom: 5, validTo: 5 }, 'validTo'],
    [{ scopeRef: '' }, 'scopeRef'],
    [{ scopeKind: 'all' as const }, 'scopeRef'],
  ])('%j contradicts itself at %s', (rest, path) => {
    expect(draftIssues({ ...draft, ...rest }).map((issue) => issue.path)).toEqual([path]);
  });
});

it('codes are allowed so often within an hour, for a bounded number of users', () => {
  const allowance = new CodeAllowance({ perHour: 2, users: 2 });
  expect([0, 1, 2, 3_600_000, 3_600_001].map((now) => allowance.take('a', now))).toEqual([true, true, false, true, true]);
  expect([allowance.take('b', 3_600_002), allowance.take('c', 3_600_002)]).toEqual([true, true]);
  // The longest unseen one was forgotten, not the others.
  expect(allowance.take('a', 3_600_003)).toBe(true);
});
