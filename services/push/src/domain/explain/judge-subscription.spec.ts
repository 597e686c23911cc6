import type { IncomingEvent } from '../incoming-event.js';
import type { FollowedScope } from '../subscription.js';
import { judgeSubscription } from './judge-subscription.js';

const event: IncomingEvent = {
  tenant: 'acme',
  origin: 'crm',
  source: '/crm',
  id: 'e1',
  type: 'contact.updated',
  subject: 'c1',
  severity: 'medium',
  occurredAt: '2026-11-21T10:00:00.000Z',
  receivedAt: Date.parse('2026-11-21T10:00:00Z'),
  inputSeq: 1,
  caseId: 'case-7',
  entities: ['alice'],
  regions: [],
  topics: ['fraud'],
  data: { rows: 3 },
};
const following = (rest: Partial<FollowedScope>): FollowedScope => ({
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

describe('the judgement of a subscription', () => {
  it.each([
    ['another case', { scopeKind: 'case', scopeRef: 'case-8' }, 'It follows case "case-8"; the event is about case "case-7".'],
    ['another entity', { scopeKind: 'entity', scopeRef: 'bob' }, 'It follows the entity "bob"; the event names "alice".'],
    ['a region of an event without any', { scopeKind: 'region', scopeRef: 'north' }, 'It follows the region "north"; the event names no regions.'],
    ['another type', { scopeKind: 'type', scopeRef: 'deal.*' }, 'It follows the type "deal.*"; the event’s is "contact.updated".'],
    ['other patterns', { typePatterns: ['deal.*'] }, 'The event’s type "contact.updated" fits none of its patterns: "deal.*".'],
    ['a condition that does not hold', { predicate: { path: 'rows', op: 'gt', value: 5 } }, 'Its condition does not hold for the event’s data.'],
    ['a later beginning', { validFrom: event.receivedAt + 1 }, 'It is in force only from 2026-11-21T10:00:00.001Z.'],
    ['an earlier end', { validTo: event.receivedAt }, 'It was in force only until 2026-11-21T10:00:00.000Z.'],
  ] as const)('names the first thing that keeps it from the event: %s', (_name, rest, why) => {
    expect(judgeSubscription(following(rest as Partial<FollowedScope>), event)).toMatchObject({ covers: false, why });
  });

  it.each([{}, { scopeKind: 'case', scopeRef: 'case-7' }, { scopeKind: 'topic', scopeRef: 'fraud' }, { typePatterns: ['contact.*'] }] as const)(
    'says when it covers the event: %j',
    (rest) => {
      expect(judgeSubscription(following(rest as Partial<FollowedScope>), event)).toMatchObject({ covers: true, why: 'It covers the event.' });
    },
  );

  it('says that meaning is judged when the event is matched', () => {
    expect(judgeSubscription(following({ interestText: 'takeovers' }), event)).toMatchObject({ covers: true, why: expect.stringMatching(/meaning/) });
  });
});
