import type { Severity } from '@plexus/contracts';
import fc from 'fast-check';
import { decide } from './decide.js';
import type { IncomingEvent } from './incoming-event.js';
import { type Candidate, match } from './match.js';
import type { FollowedScope, ScopeKind, SubscriptionLevel } from './subscription.js';

const incoming = (rest: Partial<IncomingEvent> = {}): IncomingEvent => ({
  tenant: 'acme',
  origin: 'crm',
  source: '/crm',
  id: 'e1',
  type: 'contact.updated',
  subject: 'cnt_1',
  severity: 'medium',
  occurredAt: '2026-11-21T10:00:00.000Z',
  receivedAt: 1_000,
  inputSeq: 1,
  entities: [],
  regions: [],
  topics: [],
  ...rest,
});

const follows = (rest: Partial<FollowedScope> = {}): FollowedScope => ({
  id: 'sub_1',
  user: 'me',
  scopeKind: 'all',
  scopeRef: '',
  minSeverity: 'low',
  typePatterns: [],
  level: 'all',
  version: 1,
  ...rest,
});

const verdictFor = (event: IncomingEvent, ...subscriptions: FollowedScope[]) => {
  const [candidate] = match(event, subscriptions);
  return candidate === undefined ? 'no_subscription' : decide(candidate, event, { seen: false }).reason;
};

describe('matching', () => {
  it.each<[ScopeKind, string, Partial<IncomingEvent>]>([
    ['case', 'case-7', { caseId: 'case-7' }],
    ['entity', 'ent', { entities: ['x', 'ent'] }],
    ['region', 'eu', { regions: ['eu'] }],
    ['topic', 'import', { topics: ['import'] }],
    ['type', 'contact.updated', {}],
    ['type', 'contact.*', {}],
    ['all', '', {}],
  ])('scope %s %s covers its events and no others', (scopeKind, scopeRef, about) => {
    expect(verdictFor(incoming(about), follows({ scopeKind, scopeRef }))).toBe('sent');
    if (scopeKind !== 'all') expect(verdictFor(incoming({ type: 'other' }), follows({ scopeKind, scopeRef }))).toBe('no_subscription');
  });

  it('honours type patterns', () => {
    expect(verdictFor(incoming(), follows({ typePatterns: ['order.*', 'contact.*'] }))).toBe('sent');
    expect(verdictFor(incoming(), follows({ typePatterns: ['order.*'] }))).toBe('no_subscription');
  });

  it('makes one candidate per user out of several hits, most specific first, users in one order', () => {
    const event = incoming({ caseId: 'case-7', topics: ['t'] });
    const candidates = match(event, [
      follows({ id: 'a', user: 'zoe' }),
      follows({ id: 'b', user: 'adam' }),
      follows({ id: 'c', user: 'adam', scopeKind: 'case', scopeRef: 'case-7' }),
      follows({ id: 'd', user: 'adam', scopeKind: 'topic', scopeRef: 't' }),
    ]);
    expect(candidates.map(({ user, hits }) => [user, hits.map(({ id }) => id)])).toEqual([
      ['adam', ['c', 'd', 'b']],
      ['zoe', ['a']],
    ]);
  });
});

describe('deciding', () => {
  it('drops what was published again, whatever the subscription says', () => {
    const decision = decide({ user: 'me', hits: [follows()] }, incoming(), { seen: true });
    expect(decision).toMatchObject({ verdict: 'dropped', reason: 'duplicate_event', reasons: [] });
    expect(decision.trace).toEqual([{ stage: 'idempotency', rule: 'first-of-its-identity', verdict: 'stop' }]);
  });

  it('drops what had expired when it was stored, to the millisecond', () => {
    expect(verdictFor(incoming({ expiresAt: 1_000 }), follows())).toBe('expired');
    expect(verdictFor(incoming({ expiresAt: 1_001 }), follows())).toBe('sent');
  });

  it.each<[SubscriptionLevel, Severity, string]>([
    ['muted', 'critical', 'muted'],
    ['critical_only', 'high', 'opted_out'],
    ['critical_only', 'critical', 'sent'],
    ['all', 'low', 'sent'],
    ['digest', 'low', 'sent'],
  ])('level %s and severity %s: %s', (level, severity, reason) => {
    expect(verdictFor(incoming({ severity }), follows({ level }))).toBe(reason);
  });

  it('keeps what is below the least severity away', () => {
    expect(verdictFor(incoming({ severity: 'medium' }), follows({ minSeverity: 'high' }))).toBe('opted_out');
    expect(verdictFor(incoming({ severity: 'high' }), follows({ minSeverity: 'high' }))).toBe('sent');
  });

  it('lets the most specific subscription decide: a muted case stays silent for someone who follows everything', () => {
    const event = incoming({ caseId: 'case-7' });
    expect(verdictFor(event, follows({ id: 'a' }), follows({ id: 'b', scopeKind: 'case', scopeRef: 'case-7', level: 'muted' }))).toBe('muted');
    expect(verdictFor(event, follows({ id: 'a', level: 'muted' }), follows({ id: 'b', scopeKind: 'case', scopeRef: 'case-7' }))).toBe('sent');
    expect(verdictFor(incoming({ caseId: 'case-8' }), follows({ id: 'a' }), follows({ id: 'b', scopeKind: 'case', scopeRef: 'case-7', level: 'muted' }))).toBe(
      'sent',
    );
  });

  it('sends when one of several equally specific subscriptions wants it', () => {
    const event = incoming({ entities: ['a', 'b'] });
    const muted = follows({ id: '1', scopeKind: 'entity', scopeRef: 'a', level: 'muted' });
    const wanted = follows({ id: '2', scopeKind: 'entity', scopeRef: 'b' });
    const decision = decide({ user: 'me', hits: [muted, wanted] }, event, { seen: false });
    expect(decision.reason).toBe('sent');
    expect(decision.reasons).toEqual([wanted]);
  });

  it('names the stage, the rule and the version of the subscription that stopped it', () => {
    const decision = decide({ user: 'me', hits: [follows({ level: 'critical_only', version: 4 })] }, incoming(), { seen: false });
    expect(decision.trace.at(-1)).toEqual({ stage: 'preference', rule: 'level:critical_only', verdict: 'stop', subscription: { id: 'sub_1', version: 4 } });
  });
});

describe('for any event and any subscriptions', () => {
  const severity = fc.constantFrom<Severity>('low', 'medium', 'high', 'critical');
  const scope = fc.constantFrom<[ScopeKind, string]>(['case', 'c'], ['entity', 'e'], ['region', 'r'], ['topic', 't'], ['type', 'contact.*'], ['all', '']);
  const hits = fc
    .uniqueArray(
      fc.record({
        id: fc.string({ minLength: 1 }),
        scope,
        minSeverity: severity,
        level: fc.constantFrom<SubscriptionLevel>('all', 'digest', 'critical_only', 'muted'),
      }),
      { minLength: 1, maxLength: 8, selector: ({ id }) => id },
    )
    .map((list) => list.map(({ scope: [scopeKind, scopeRef], ...rest }) => follows({ ...rest, scopeKind, scopeRef })));
  const event = severity.map((s) => incoming({ severity: s, caseId: 'c', entities: ['e'], regions: ['r'], topics: ['t'] }));
  const candidateOf = (e: IncomingEvent, subscriptions: FollowedScope[]) => match(e, subscriptions)[0] as Candidate;

  it('the decision does not depend on the order in which subscriptions were found (D6)', () => {
    fc.assert(
      fc.property(event, hits, fc.nat(), (e, found, turn) => {
        const turned = [...found.slice(turn % found.length), ...found.slice(0, turn % found.length)];
        expect(decide(candidateOf(e, turned), e, { seen: false })).toEqual(decide(candidateOf(e, found), e, { seen: false }));
      }),
    );
  });

  it('muting one more subscription never adds a delivery (D10)', () => {
    fc.assert(
      fc.property(event, hits, fc.nat(), (e, found, pick) => {
        const before = decide(candidateOf(e, found), e, { seen: false });
        const muted = found.map((hit, index) => (index === pick % found.length ? { ...hit, level: 'muted' as const } : hit));
        const after = decide(candidateOf(e, muted), e, { seen: false });
        if (before.verdict === 'dropped') expect(after.verdict).toBe('dropped');
      }),
    );
  });

  it('a delivery has a reason, and everything else has a stage that stopped it', () => {
    fc.assert(
      fc.property(event, hits, fc.boolean(), (e, found, seen) => {
        const decision = decide(candidateOf(e, found), e, { seen });
        if (decision.verdict === 'sent') expect(decision.reasons.length).toBeGreaterThan(0);
        else expect(decision.trace.some(({ verdict }) => verdict === 'stop')).toBe(true);
      }),
    );
  });
});
