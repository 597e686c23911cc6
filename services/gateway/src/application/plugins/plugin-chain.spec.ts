import type { PluginAnswer, PluginRequest } from './plugin-api.js';
import { PluginChain } from './plugin-chain.js';

const asked = (path: string, method = 'GET', signal = new AbortController().signal): PluginRequest => ({
  method,
  path,
  query: new URLSearchParams(),
  headers: {},
  body: new Uint8Array(),
  address: '127.0.0.1',
  signal,
});

describe('the HTTP handlers of plugins', () => {
  const errors: { fields: Record<string, unknown>; message: string }[] = [];
  const chainOf = (limits?: { maxRunning: number }) =>
    new PluginChain({ error: (fields, message) => errors.push({ fields: fields as never, message }) }, limits);
  beforeEach(() => errors.splice(0));

  it('a registered route comes first, then the generic handlers in order until one has handled it', async () => {
    const chain = chainOf();
    const seen: string[] = [];
    const one = chain.registrar('one');
    const two = chain.registrar('two');
    const says = (name: string, answer?: PluginAnswer) => () => {
      seen.push(name);
      return answer;
    };
    one.handle(says('first'));
    two.handle(async () => says('second', { body: 'second' })());
    one.handle(says('third', { body: 'third' }));
    two.route('GET', '/hook', says('route', { status: 201, body: 'route' }));
    two.route('GET', '/maybe', says('maybe'));

    expect(await chain.run(asked('/hook'))).toEqual({ kind: 'answered', answer: { status: 201, body: 'route' } });
    expect(seen.splice(0)).toEqual(['route']);
    expect(await chain.run(asked('/elsewhere'))).toMatchObject({ answer: { body: 'second' } });
    expect(seen.splice(0)).toEqual(['first', 'second']);
    expect(await chain.run(asked('/maybe'))).toMatchObject({ answer: { body: 'second' } });
    expect(seen.splice(0)).toEqual(['maybe', 'first', 'second']);
    expect(await chain.run(asked('/hook/', 'GET'))).toMatchObject({ answer: { body: 'second' } });
    expect(await chain.run(asked('/hook', 'POST'))).toMatchObject({ answer: { body: 'second' } });
    seen.splice(0);
    expect(await chain.run(asked('/hook', 'HEAD'))).toMatchObject({ answer: { body: 'route' } });
  });

  it('without generic handlers nobody is asked about other paths', async () => {
    const chain = chainOf();
    chain.registrar('one').route('POST', '/hook', () => ({}));
    expect([chain.wants('POST', '/hook'), chain.wants('GET', '/hook'), chain.wants('POST', '/other')]).toEqual([true, false, false]);
    expect(await chain.run(asked('/other'))).toEqual({ kind: 'unhandled' });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the secret of the plugin');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the secret of the plugin'))],
    ['throws nothing at all', () => Promise.reject(undefined)],
    ['says true', () => true],
    ['has no such status', () => ({ status: 99 })],
    ['has no such header', () => ({ headers: { a: 1 } })],
  ])('a handler that %s is logged and answered with 500, and nobody behind it is asked', async (_what, handler) => {
    const chain = chainOf();
    let later = 0;
    chain.registrar('bad').handle(handler as never);
    chain.registrar('good').handle(() => {
      later += 1;
      return {};
    });
    expect(await chain.run(asked('/x'))).toEqual({ kind: 'failed', status: 500, text: 'Internal Server Error' });
    expect(errors).toMatchObject([{ fields: { plugin: 'bad', method: 'GET', path: '/x' }, message: 'a plugin failed' }]);
    expect(later).toBe(0);
  });

  it('a handler that does not come to an end is given up, and counts until it does', async () => {
    const chain = chainOf({ maxRunning: 1 });
    let finish = (_answer: PluginAnswer): void => {};
    chain.registrar('slow').handle(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    const limit = new AbortController();
    const answer = chain.run(asked('/x', 'GET', limit.signal));
    limit.abort(new Error('too slow'));
    expect(await answer).toMatchObject({ kind: 'failed', status: 504 });
    expect(await chain.run(asked('/x'))).toMatchObject({ kind: 'failed', status: 503 });
    finish({});
    await new Promise((resolve) => setImmediate(resolve));
    const again = chain.run(asked('/x'));
    finish({ body: 'now' });
    expect(await again).toMatchObject({ kind: 'answered' });
    expect(errors.map(({ message }) => message)).toEqual(['a plugin was given up']);
  });

  it.each<[string, string, string]>([
    ['GET', '/v1/chat/send', 'belongs to the gateway'],
    ['GET', '/healthz', 'belongs to the gateway'],
    ['GET', '/ws/vm', 'belongs to the gateway'],
    ['get', '/x', 'is no method'],
    ['GET', 'x', 'is no path'],
    ['GET', '/x?y', 'is no path'],
    ['POST', '/taken', 'is taken by plugin one'],
  ])('%s %s cannot be registered', (method, path, problem) => {
    const chain = chainOf();
    chain.registrar('one').route('POST', '/taken', () => ({}));
    expect(() => chain.registrar('two').route(method, path, () => ({}))).toThrow(problem);
  });
});
