import type { LogInput } from '../domain/engine/types.js';
import { createEngine } from '../domain/engine/engine.js';
import type { IncomingEvent } from '../domain/incoming-event.js';
import type { FollowedScope } from '../domain/subscription.js';
import type { CandidateEntry, FanOutJobs } from './deciding-ports.js';
import { FairQueue } from './fair-queue.js';
import { MatchEvent, QUANTUM } from './match-event.js';
import type { MeaningAnswer } from './meaning.js';

const event: IncomingEvent = {
  tenant: 'acme',
  origin: 'aegi',
  source: '/aegi',
  id: 'e1',
  type: 'collection_done',
  subject: 'c1',
  severity: 'medium',
  occurredAt: '2026-11-21T10:00:00.000Z',
  receivedAt: Date.parse('2026-11-21T10:00:00Z'),
  inputSeq: 1,
  summary: 'A vessel was seen near the cable',
  entities: [],
  regions: [],
  topics: [],
};
const follows = (user: string, id: string, interestText?: string): FollowedScope => ({
  ...{ id, user, version: 1, scopeKind: 'all', scopeRef: '', minSeverity: 'low', level: 'all', typePatterns: [] },
  ...(interestText === undefined ? {} : { interestText }),
});

async function candidatesOf(subscriptions: FollowedScope[], answer: MeaningAnswer): Promise<CandidateEntry[]> {
  const written: CandidateEntry[] = [];
  const matching = new MatchEvent({
    subscriptions: { fewFor: async () => subscriptions, candidatesFor: async () => subscriptions },
    jobs: {} as FanOutJobs,
    log: { append: async (some) => void written.push(...some) },
    meaning: () => ({ match: async () => answer }),
    turns: { urgent: new FairQueue(QUANTUM, 1), others: new FairQueue(QUANTUM, 1) },
    tap: () => undefined,
    onJob: () => {},
  });
  await matching.execute(event);
  return written;
}

describe('interests in words that were not compared', () => {
  const subscriptions = [follows('ann', 'a1'), follows('ann', 'a2', 'ships'), follows('ben', 'b1')];

  it('are said with the candidate of whoever has one, and in the trace of its decision', async () => {
    const written = await candidatesOf(subscriptions, { available: false, hits: [], note: 'no embedding model can be asked' });
    expect(written.map(({ user, note }) => [user, note])).toEqual([
      ['ann', 'no embedding model can be asked'],
      ['ben', undefined],
    ]);
    const engine = createEngine();
    const traces = written.map(({ user, tenant, ...data }) => {
      const input = { kind: 'candidate', data, id: 'c', tenant, user, seq: 1, at: event.receivedAt } as LogInput;
      return engine.reduce(engine.emptyUser('epoch'), input, engine.emptyShared()).decisions[0]?.trace.filter(({ stage }) => stage === 'match');
    });
    expect(traces).toEqual([[{ stage: 'match', rule: 'interest', verdict: 'pass', input: { note: 'no embedding model can be asked' } }], []]);
  });

  it('are not mentioned when they were compared', async () => {
    const written = await candidatesOf(subscriptions, { available: true, hits: [{ subscriptionId: 'a2', score: 0.7, method: 'semantic' }], misses: [] });
    expect(written.map(({ user, note, hits }) => [user, note, hits.length])).toEqual([
      ['ann', undefined, 2],
      ['ben', undefined, 1],
    ]);
  });
});
