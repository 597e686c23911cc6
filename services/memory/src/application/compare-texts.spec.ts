import { CircuitBreaker, FakeClock } from '@plexus/kernel';
import { localHashEmbedder } from '../domain/embedding/local-hash.js';
import { type Embedder, EmbedderUnavailable, EmbeddingRefused, normalised } from '../domain/embedding/model.js';
import { CompareTexts } from './compare-texts.js';
import { Embedding } from './embedding.js';

const signal = new AbortController().signal;

/** Knows two topics; fails, hangs or refuses when it is told to. */
function world() {
  const clock = new FakeClock();
  const asked: string[][] = [];
  const state = { mode: 'ok' as 'ok' | 'down' | 'hang' };
  const embedder: Embedder = {
    model: { id: 'openai-compat:test:2:v1', provider: 'openai-compat', name: 'test', dimensions: 2, kind: 'semantic' },
    maxBatch: 4,
    embed: (texts, _purpose, given) => {
      asked.push([...texts]);
      if (state.mode === 'hang') return new Promise((_resolve, reject) => given.addEventListener('abort', () => reject(new EmbedderUnavailable('late'))));
      if (state.mode === 'down') return Promise.reject(new EmbedderUnavailable('down'));
      if (texts.some((text) => text.includes('poison'))) return Promise.reject(new EmbeddingRefused('no'));
      return Promise.resolve(texts.map((text) => normalised(text.includes('ship') ? [1, 0.1] : [0.1, 1]) as Float32Array));
    },
  };
  const embedding = new Embedding(embedder, new CircuitBreaker({ threshold: 2, resetMs: 1_000, clock }), clock);
  return { clock, asked, state, compare: new CompareTexts(() => embedding, clock) };
}

describe('comparing texts by meaning', () => {
  it('gives a cosine per text, asks for each text once, and never for what it knows', async () => {
    const { asked, compare } = world();
    const others = ['ships', 'weather', 'ships'].map((text, index) => ({ id: `s${index}`, text }));
    const first = await compare.execute('acme', 'a ship was seen', others, signal);
    expect(first).toMatchObject({ available: true, model: 'openai-compat:test:2:v1' });
    const scores = first.available ? first.scores.map(({ score }) => Math.round(score * 100)) : [];
    expect(scores).toEqual([100, 20, 100]);
    await compare.execute('acme', 'a ship was seen', others, signal);
    expect(asked).toEqual([['a ship was seen', 'ships', 'weather']]);
    await compare.execute('other', 'a ship was seen', others, signal);
    expect(asked).toHaveLength(2);
  });

  it('leaves out what the endpoint refuses and scores the rest', async () => {
    const { compare } = world();
    const others = [
      { id: 'bad', text: 'poison' },
      { id: 'good', text: 'ships' },
    ];
    const compared = await compare.execute('acme', 'ship', others, signal);
    expect(compared.available && compared.scores.map(({ id }) => id)).toEqual(['good']);
    expect(await compare.execute('acme', 'poison', others, signal)).toMatchObject({ available: true, scores: [] });
  });

  it('says that nobody can tell when the endpoint is down, too slow, or only compares spellings', async () => {
    const { clock, state, asked, compare } = world();
    state.mode = 'down';
    const others = [{ id: 'a', text: 'ships' }];
    for (let n = 0; n < 4; n += 1) expect(await compare.execute('acme', 'ship', others, signal)).toEqual({ available: false });
    // Two failures open the breaker: the endpoint is left alone.
    expect(asked).toHaveLength(2);
    await clock.advance(1_000);
    state.mode = 'hang';
    const slow = compare.execute('acme', 'ship', others, signal);
    await clock.advance(8_000);
    expect(await slow).toEqual({ available: false });
    const lexical = new Embedding(localHashEmbedder(), new CircuitBreaker({ threshold: 2, resetMs: 1_000, clock }), clock);
    expect(await new CompareTexts(() => lexical, clock).execute('acme', 'ship', others, signal)).toEqual({ available: false });
    expect(await new CompareTexts(() => undefined, clock).execute('acme', 'ship', others, signal)).toEqual({ available: false });
  });
});
