import { FakeClock } from '@plexus/kernel';
import { OpenAiReranker } from '../../adapters/http/openai-reranker.js';
import type { LogEvent } from '../../domain/engine/types.js';
import { readScores } from '../../domain/triggers/judgement.js';
import { MatchMeaning, type Reranker, type Similarity } from './match-meaning.js';

const event: LogEvent = {
  key: 'k',
  origin: 'aegi',
  source: '/aegi',
  id: 'e1',
  type: 'collection_done',
  subject: 's',
  severity: 'medium',
  occurredAt: '2026-11-21T10:00:00.000Z',
  summary: 'A vessel was seen near the cable',
  entities: [],
  regions: [],
  topics: [],
};
const interests = (...texts: string[]) => texts.map((text, index) => ({ subscriptionId: `s${index}`, user: `u${index}`, text }));

/** Cosines by text; `answer` may fail or hang instead. */
function world(cosines: Record<string, number>, reranker?: Reranker) {
  const clock = new FakeClock();
  const asked: string[][] = [];
  const counted: string[] = [];
  const state = { mode: 'ok' as 'ok' | 'none' | 'down' | 'hang' };
  const similarity: Similarity = {
    async compare(_tenant, _text, others) {
      asked.push(others.map(({ text }) => text));
      if (state.mode === 'down') throw new Error('down');
      if (state.mode === 'hang') return new Promise(() => undefined);
      if (state.mode === 'none') return { available: false, scores: [] };
      return { available: true, scores: others.flatMap(({ id, text }) => (cosines[text] === undefined ? [] : [{ id, score: cosines[text] }])) };
    },
  };
  const meaning = new MatchMeaning({ similarity, reranker: () => reranker, clock, count: (result) => void counted.push(result) });
  return { clock, asked, counted, state, match: (...texts: string[]) => meaning.match(event, 'acme', interests(...texts)), meaning };
}

describe('whose interest an event means', () => {
  it('is decided by the cosine, from 0.65 on, each text compared once', async () => {
    const { match, asked, counted } = world({ ships: 0.9, cables: 0.65, weather: 0.6499, odd: 1.2 });
    expect(await match('ships', 'cables', 'weather', ' ships ', 'refused', 'odd', '  ')).toEqual({
      available: true,
      hits: [
        { subscriptionId: 's0', score: 0.9, method: 'semantic' },
        { subscriptionId: 's1', score: 0.65, method: 'semantic' },
        { subscriptionId: 's3', score: 0.9, method: 'semantic' },
        { subscriptionId: 's5', score: 1, method: 'semantic' },
      ],
      misses: [{ subscriptionId: 's2', score: 0.6499 }],
    });
    expect([asked, counted]).toEqual([[['ships', 'cables', 'weather', 'refused', 'odd']], ['semantic']]);
  });

  it('asks in batches, and is nothing for an event that says nothing', async () => {
    const { meaning, match, asked } = world({});
    await match(...Array.from({ length: 450 }, (_, n) => `text ${n}`));
    expect(asked.map(({ length }) => length)).toEqual([200, 200, 50]);
    const { summary: _summary, ...silent } = event;
    expect(await meaning.match(silent, 'acme', interests('ships'))).toEqual({ available: true, hits: [], note: 'the event has no summary' });
    const crowded = await match(...Array.from({ length: 2_005 }, (_, n) => `text ${n}`));
    expect(crowded.note).toBe('5 interests beyond 2000 were not compared');
  });

  it('cannot be told without an embedder, and a service that hangs is not waited for, then left alone for a while', async () => {
    const { clock, state, match, asked, counted } = world({ ships: 0.9 });
    state.mode = 'none';
    expect(await match('ships')).toMatchObject({ available: false, hits: [], note: expect.stringContaining('no embedding model') });
    state.mode = 'hang';
    const hanging = match('ships');
    await clock.advance(5_000);
    expect(await hanging).toMatchObject({ available: false });
    state.mode = 'down';
    await match('ships');
    await match('ships');
    state.mode = 'ok';
    expect([await match('ships'), asked.length]).toMatchObject([{ available: false }, 4]);
    await clock.advance(15_000);
    expect(await match('ships')).toMatchObject({ available: true, hits: [{ subscriptionId: 's0' }] });
    expect(counted).toEqual(['unavailable', 'unavailable', 'unavailable', 'unavailable', 'unavailable', 'semantic']);
    expect(clock.pending).toBe(0);
  });

  it('one tenant whose comparisons hang costs no other one its matches', async () => {
    const { clock, state, meaning } = world({ ships: 0.9 });
    state.mode = 'down';
    for (let n = 0; n < 4; n += 1) await meaning.match(event, 'crowded', interests('ships'));
    state.mode = 'ok';
    expect(await meaning.match(event, 'crowded', interests('ships'))).toMatchObject({ available: false });
    expect(await meaning.match(event, 'acme', interests('ships'))).toMatchObject({ available: true, hits: [{ subscriptionId: 's0' }] });
    expect(clock.pending).toBe(0);
  });

  it('may be judged by a model: only what is close, the closest first, and its word counts', async () => {
    const judged: (readonly string[])[] = [];
    const reranker: Reranker = {
      maxInterests: 2,
      minScore: 0.5,
      judge: async (_event, texts) => {
        judged.push(texts);
        return [0.1, 0.8];
      },
    };
    const { match, counted } = world({ ships: 0.9, cables: 0.7, boats: 0.66, sea: 0.6, weather: 0.2 }, reranker);
    expect((await match('boats', 'cables', 'ships', 'sea', 'weather')).hits).toEqual([
      { subscriptionId: 's0', score: 0.66, method: 'semantic' },
      { subscriptionId: 's1', score: 0.8, method: 'llm' },
    ]);
    expect([judged, counted]).toEqual([[['ships', 'cables']], ['semantic', 'reranked']]);
  });

  it('is what the cosine says when the judge fails or hangs', async () => {
    let hangs = false;
    const judge = () => (hangs ? new Promise<never>(() => undefined) : Promise.reject(new Error('down')));
    const { clock, match, counted } = world({ ships: 0.9 }, { maxInterests: 5, minScore: 0.5, judge });
    const expected = {
      available: true,
      hits: [{ subscriptionId: 's0', score: 0.9, method: 'semantic' }],
      misses: [],
      note: 'the judging model failed; similarity alone counts',
    };
    expect(await match('ships')).toEqual(expected);
    hangs = true;
    const hanging = match('ships');
    await clock.advance(5_000);
    expect(await hanging).toEqual(expected);
    expect(counted.filter((result) => result === 'rerank_failed')).toHaveLength(2);
  });
});

describe('a judging model behind an endpoint', () => {
  const signal = new AbortController().signal;
  const settings = { baseUrl: 'http://model/v1/', model: 'judge', apiKey: 'secret', timeoutMs: 1_000, maxInterests: 5, minScore: 0.5 };
  const answering = (...contents: (string | number)[]) => {
    const clock = new FakeClock();
    const asked: { url: string; init: RequestInit }[] = [];
    const request = async (url: string, init: RequestInit): Promise<Response> => {
      asked.push({ url, init });
      const content = contents[Math.min(asked.length, contents.length) - 1] ?? '';
      if (typeof content === 'number') return new Response('no', { status: content });
      return new Response(JSON.stringify({ choices: [{ message: { content } }] }));
    };
    return { clock, asked, reranker: new OpenAiReranker(settings, clock, request) };
  };

  it('is asked once for the same question, with its key, deterministically', async () => {
    const { asked, reranker } = answering('```json\n{"scores":[{"n":2,"score":0.25},{"n":1,"score":1}]}\n```');
    expect([await reranker.judge('e', ['a', 'b'], signal), await reranker.judge('e', ['a', 'b'], signal)]).toEqual([
      [1, 0.25],
      [1, 0.25],
    ]);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url).toBe('http://model/v1/chat/completions');
    expect(new Headers(asked[0]?.init.headers).get('authorization')).toBe('Bearer secret');
    expect(JSON.parse(asked[0]?.init.body as string)).toMatchObject({ model: 'judge', temperature: 0, stream: false });
  });

  it('has no say when it answers nonsense, and is left alone after three failures', async () => {
    const { clock, asked, reranker } = answering('sure!', 500, '{"scores":[]}', '{"scores":[{"n":1,"score":1}]}');
    for (let n = 0; n < 4; n += 1) await expect(reranker.judge('e', ['a'], signal)).rejects.toThrow();
    expect(asked).toHaveLength(3);
    await clock.advance(30_000);
    expect(await reranker.judge('e', ['a'], signal)).toEqual([1]);
  });

  it.each([
    ['one score too few', '{"scores":[{"n":1,"score":1}]}'],
    ['a number twice', '{"scores":[{"n":1,"score":1},{"n":1,"score":1}]}'],
    ['a number that was not asked', '{"scores":[{"n":1,"score":1},{"n":3,"score":1}]}'],
    ['a score beyond 1', '{"scores":[{"n":1,"score":1},{"n":2,"score":7}]}'],
    ['prose', 'Interest 1 is relevant.'],
  ])('refuses %s', (_what, answer) => {
    expect(readScores(answer, 2)).toBeUndefined();
  });
});
