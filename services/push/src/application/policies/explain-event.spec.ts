import { FakeClock } from '@plexus/kernel';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import { type MeaningAnswer, NO_MEANING } from '../meaning.js';
import { ExplainEvent } from './explain-event.js';
import type { ExplainedSubscription, ExplainStore, StoredEvents } from './explain-ports.js';

const at = Date.parse('2026-11-21T10:00:00Z');
const event: IncomingEvent = {
  tenant: 'acme',
  origin: 'aegi',
  source: '/aegi',
  id: 'e1',
  type: 'collection_done',
  subject: 'c1',
  severity: 'medium',
  occurredAt: new Date(at).toISOString(),
  receivedAt: at,
  inputSeq: 1,
  summary: 'A vessel was seen near the cable',
  entities: [],
  regions: [],
  topics: [],
};
const interested = (id: string, interestText?: string): ExplainedSubscription => ({
  id,
  user: 'ann',
  version: 1,
  scopeKind: 'all',
  scopeRef: '',
  minSeverity: 'low',
  level: 'all',
  typePatterns: [],
  changedAt: at - 1,
  ...(interestText === undefined ? {} : { interestText }),
});

/** An event about which nothing was decided for ann, who follows these. */
function explaining(subscriptions: ExplainedSubscription[], answer: MeaningAnswer, hidden = false) {
  const store: ExplainStore = {
    decisionsOf: async () => undefined,
    candidatePosition: async () => undefined,
    subscriptionsOf: async () => subscriptions,
    isHidden: async () => hidden,
  };
  const search = { stream: 'PLEXUS_IN', found: true, examined: 1, exhausted: false };
  const events: StoredEvents = { ofCandidate: async () => undefined, find: async () => ({ found: { event }, search }) };
  const asked: string[] = [];
  const meaning = {
    match: async (_event: unknown, _tenant: string, interests: readonly { readonly text: string }[]) => {
      asked.push(...interests.map(({ text }) => text));
      return answer;
    },
  };
  const explain = new ExplainEvent(store, events, meaning, new FakeClock(at + 1_000));
  return { asked, explain: () => explain.execute({ tenant: 'acme', user: 'ann', event: { id: 'e1' }, privileged: false }) };
}

describe('an event of which nothing is known', () => {
  it('is said to be looked for among events from outside only: facts of the mesh that concerned nobody are not found', async () => {
    const search = { stream: 'PLEXUS_IN', found: false, examined: 3, exhausted: true };
    const store = { decisionsOf: async () => undefined, candidatePosition: async () => undefined } as unknown as ExplainStore;
    const explain = new ExplainEvent(store, { ofCandidate: async () => undefined, find: async () => ({ search }) }, NO_MEANING, new FakeClock(at));
    const asked = (origin?: string) =>
      explain.execute({ tenant: 'acme', user: 'ann', event: { id: 'e', ...(origin === undefined ? {} : { origin }) }, privileged: true });
    expect(await asked()).toMatchObject({ outcome: 'event_unknown', sentence: expect.stringContaining('it never arrived, or it is older') });
    expect((await asked('plexus.vm')).sentence).toContain('it never arrived, or it is older');
    const fact = await asked('plexus.session');
    expect(fact.outcome).toBe('event_unknown');
    expect(fact.sentence).toContain('matched with nobody');
    expect(fact.sentence).not.toContain('never arrived');
  });
});

describe('what is none of the asker’s business', () => {
  const notice = {
    ...event,
    origin: 'push',
    source: '/plexus/push/notify',
    id: 'notify:1',
    type: 'dev.plexus.push.notice.v1',
    subject: 'ben',
    topics: ['fraud'],
  };
  const decision = { terminal: true, at, policyVersion: 4 } as const;
  const ask = (store: Partial<ExplainStore>, privileged: boolean) => {
    const search = { stream: 'PLEXUS_IN', found: false, examined: 0, exhausted: true };
    const known = {
      decisionsOf: async () => undefined,
      candidatePosition: async () => 7,
      subscriptionsOf: async () => [],
      isHidden: async () => false,
      ...store,
    };
    const events: StoredEvents = { ofCandidate: async () => notice, find: async () => ({ search }) };
    return new ExplainEvent(known, events, NO_MEANING, new FakeClock(at)).execute({ tenant: 'acme', user: 'ann', event: { id: 'notify:1' }, privileged });
  };

  it('that somebody else was told something directly: to others it never was', async () => {
    const told = await ask({}, false);
    expect(told).toMatchObject({ outcome: 'event_unknown', subscriptions: [] });
    expect(told.event).toBeUndefined();
    expect(await ask({}, true)).toMatchObject({ outcome: 'no_subscription', event: { id: 'notify:1' } });
  });

  it('what it was that he may not see', async () => {
    const trace = [
      { stage: 'idempotency', rule: 'x', verdict: 'pass' },
      { stage: 'validity', rule: 'access', verdict: 'stop', input: { scope: 'case:secret' } },
    ] as const;
    const found = {
      event: { origin: 'crm', source: '/crm', id: 'e1', type: 'layoffs.planned' },
      decisions: [
        { ...decision, terminal: false, verdict: 'deferred', reason: 'quiet', trace: [{ stage: 'quiet', rule: '22:00-07:00', verdict: 'defer' }] },
        { ...decision, verdict: 'dropped', reason: 'not_authorized', trace },
      ] as never,
      repeats: 0,
      others: 2,
    };
    const told = await ask({ decisionsOf: async () => found }, false);
    expect(told).toMatchObject({ outcome: 'dropped', decisions: [{ reason: 'not_authorized', trace: [{ stage: 'validity', rule: 'access' }] }], others: 0 });
    expect(JSON.stringify(told)).not.toMatch(/secret|layoffs|crm/);
    expect(JSON.stringify(await ask({ decisionsOf: async () => found }, true))).toMatch(/case:secret.*layoffs|layoffs.*case:secret/s);
  });
});

describe('why an interest in words did not lead to a notification', () => {
  it('says that meanings cannot be compared, and what would have to change', async () => {
    const { explain } = explaining([interested('s1', 'ships')], { available: false, hits: [], note: 'no embedding model can be asked' });
    const told = await explain();
    expect([told.outcome, told.toBeSent?.rule]).toEqual(['no_subscription', 'interest']);
    expect(told.sentence).toContain('could not be compared: no embedding model can be asked');
    expect(told.toBeSent?.sentence).toContain('embedding model');
    expect(told.subscriptions).toMatchObject([{ covers: true, why: expect.stringContaining('no embedding model can be asked') }]);
  });

  it('says how near the event is, and how near it would have to be', async () => {
    const { explain } = explaining([interested('s1', 'ships')], { available: true, hits: [], misses: [{ subscriptionId: 's1', score: 0.4211 }] });
    const told = await explain();
    expect(told.sentence).toContain('0.42');
    expect(told.subscriptions[0]?.why).toMatch(/0\.42.*0\.65/);
  });

  it('says that an event without a summary means nothing', async () => {
    const { explain } = explaining([interested('s1', 'ships')], { available: true, hits: [], note: 'the event has no summary' });
    expect((await explain()).sentence).toContain('the event has no summary');
  });

  it('says when it is near enough now', async () => {
    const { explain } = explaining([interested('s1', 'ships')], { available: true, hits: [{ subscriptionId: 's1', score: 0.7, method: 'semantic' }] });
    const told = await explain();
    expect(told.sentence).toContain('near enough now');
    expect(told.subscriptions[0]?.why).toContain('0.70');
  });

  it('asks only about interests that the rules leave open, and about nothing that the user may not see', async () => {
    const open = explaining([interested('s1', 'ships'), interested('s2')], { available: true, hits: [], misses: [] });
    expect([(await open.explain()).outcome, open.asked]).toEqual(['pending', ['ships']]);
    const hidden = explaining([interested('s1', 'ships')], { available: true, hits: [], misses: [] }, true);
    await hidden.explain();
    expect(hidden.asked).toEqual([]);
  });
});
