import { FakeClock } from '@plexus/kernel';
import fc from 'fast-check';
import { candidateId, FAILOVER_RULES, type FailoverStep, ModelFailover, type ModelCandidate } from './model-failover.js';

const one: ModelCandidate = { id: '1', name: 'acme/large' };
const two: ModelCandidate = { id: '2', name: 'acme/small' };
const status = (statusCode: number, message = 'm', headers: Record<string, string> = {}) =>
  Object.assign(new Error('e'), { statusCode, responseBody: JSON.stringify({ error: { message } }), responseHeaders: headers });

const make = () => {
  const clock = new FakeClock();
  return { clock, failover: new ModelFailover({ clock, random: () => 0.5 }) };
};

describe('a model that fails', () => {
  it.each([
    ['a refused key', 401],
    ['an unpaid bill', 402],
    ['an unknown model', 404],
    ['silence', 408],
  ])('because of %s gives way to the next at once', (_, code) => {
    const run = make().failover.begin([one, two]);
    expect(run.failed(status(code), 's')).toMatchObject({ kind: 'next', candidate: two });
    expect(run.current).toBe(two);
  });

  it.each([429, 503])('with %i is asked once more while there is another, three times while there is none', (code) => {
    const kinds = (candidates: [ModelCandidate, ...ModelCandidate[]]) => {
      const run = make().failover.begin(candidates);
      return Array.from({ length: 4 }, () => run.failed(status(code), 's').kind).join(' ');
    };
    expect(kinds([one])).toBe('retry retry retry end');
    expect(kinds([one, two])).toBe('retry next retry retry');
  });

  it('is asked again as late as it wishes, and not at all when another one can be asked sooner', () => {
    const slow = status(429, 'm', { 'retry-after': '20' });
    expect(make().failover.begin([one]).failed(slow, 's')).toMatchObject({ kind: 'retry', waitMs: 20_000 });
    expect(make().failover.begin([one, two]).failed(slow, 's')).toMatchObject({ kind: 'next', reason: 'rate_limit' });
    expect(
      make()
        .failover.begin([one, two])
        .failed(status(429, 'm', { 'retry-after': '1' }), 's'),
    ).toMatchObject({ kind: 'retry', waitMs: 1_000 });
  });

  it('because the request is wrong ends the run, whoever else could be asked', () => {
    expect(make().failover.begin([one, two]).failed(status(400), 'It refuses.')).toEqual({
      kind: 'end',
      reason: 'bad_request',
      code: 'MODEL_UNAVAILABLE',
      sentence: 'It refuses.',
    });
  });

  it('because the request is too long needs a shorter one, whoever else could be asked', () => {
    expect(make().failover.begin([one, two]).failed(status(400, 'maximum context length is 16000 tokens'), 's')).toEqual({
      kind: 'shorten',
      limitTokens: 16_000,
    });
  });

  it('last says who was asked before it', () => {
    const run = make().failover.begin([one, two]);
    run.failed(status(401), 's');
    expect(run.failed(status(402), 'No money.')).toEqual({
      kind: 'end',
      reason: 'billing',
      code: 'MODEL_UNAVAILABLE',
      sentence: 'No money. Asked before it without success: “acme/large” (auth).',
    });
  });
});

describe('a model that failed in one session', () => {
  it('and was left for another is not asked first by the next step', async () => {
    const { clock, failover } = make();
    const run = failover.begin([one, two]);
    run.failed(status(503), 's');
    run.failed(status(503), 's');
    expect(failover.begin([one, two]).current).toBe(two);
    await clock.advance(30_000);
    expect(failover.begin([one, two]).current).toBe(one);
  });

  it('is passed over by others until it has rested, and is asked all the same when all rest', () => {
    const { clock, failover } = make();
    failover.begin([one, two]).failed(status(401), 's');
    expect(failover.begin([one, two]).current).toBe(two);
    failover.begin([two]).failed(status(402), 's');
    expect(failover.begin([one, two]).current).toBe(one);
    return clock.advance(300_000).then(() => expect(failover.begin([one, two]).current).toBe(one));
  });

  it('rests after five failures in a row, not when an answer came between', async () => {
    const { clock, failover } = make();
    const fail = (times: number) => {
      for (let i = 0; i < times; i += 1) failover.begin([one]).failed(status(503), 's');
    };
    fail(4);
    failover.begin([one]).succeeded();
    fail(4);
    expect(failover.rests(one.id)).toBe(false);
    fail(1);
    expect(failover.rests(one.id)).toBe(true);
    await clock.advance(30_000);
    expect(failover.rests(one.id)).toBe(false);
    // One failure is enough the next time: nobody has heard from it since.
    fail(1);
    expect(failover.rests(one.id)).toBe(true);
  });

  it('is another one with another key', () => {
    const at = { baseUrl: 'http://a/v1', model: 'm' };
    expect(candidateId({ ...at, apiKey: 'old' })).not.toBe(candidateId({ ...at, apiKey: 'new' }));
    expect(candidateId({ ...at, apiKey: 'old' })).not.toContain('old');
  });
});

it('whatever fails, a turn ends: no model is asked twice after it was left, and none more often than its rule says', () => {
  const codes = fc.constantFrom(400, 401, 402, 404, 408, 413, 429, 500, 503, 529);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.infiniteStream(codes), (count, stream) => {
      const candidates = Array.from({ length: count }, (_, i): ModelCandidate => ({ id: `${i}`, name: `m${i}` }));
      const run = make().failover.begin(candidates as [ModelCandidate, ...ModelCandidate[]]);
      const asked = [run.current.id];
      let step: FailoverStep<ModelCandidate> | undefined;
      for (const code of stream) {
        step = run.failed(status(code), 's');
        if (step.kind === 'end' || step.kind === 'shorten') break;
        asked.push(run.current.id);
      }
      expect(['end', 'shorten']).toContain(step?.kind);
      expect(asked).toEqual([...asked].sort());
      const most = Math.max(...Object.values(FAILOVER_RULES).map(({ retriesAlone }) => retriesAlone)) + 1;
      for (const { id } of candidates) expect(asked.filter((other) => other === id).length).toBeLessThanOrEqual(most);
    }),
  );
});
