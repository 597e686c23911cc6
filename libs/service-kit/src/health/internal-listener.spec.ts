import { FakeClock } from '@plexus/kernel';
import { type InternalListener, openInternalListener } from './internal-listener.js';
import { Readiness } from './readiness.js';

describe('the internal listener', () => {
  const clock = new FakeClock();
  let readiness: Readiness;
  let listener: InternalListener;
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(listener.url + path, init);
    const text = await response.text();
    return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  beforeEach(async () => {
    readiness = new Readiness(clock);
    listener = await openInternalListener({ host: '127.0.0.1', port: 0, readiness, info: () => ({ name: 'probe' }), config: () => undefined });
  });
  afterEach(() => listener.close());

  it('is alive from the first moment, and ready only once started', async () => {
    expect(await get('/livez')).toMatchObject({ status: 200, json: { live: true } });
    expect(await get('/readyz')).toMatchObject({ status: 503, json: { ready: false, checks: [{ name: 'lifecycle', ok: false, reason: 'starting' }] } });
    readiness.started();
    expect(await get('/readyz')).toMatchObject({ status: 200, json: { ready: true } });
  });

  it('stays alive while a dependency is gone, and says which one keeps it from being ready', async () => {
    readiness.started();
    readiness.add('nats', () => 'not connected to NATS');
    readiness.add('migrations', async () => {
      throw new Error('relation does not exist');
    });
    expect(await get('/livez')).toMatchObject({ status: 200 });
    expect((await get('/readyz')).json.checks).toEqual([
      { name: 'lifecycle', ok: true },
      { name: 'nats', ok: false, reason: 'not connected to NATS' },
      { name: 'migrations', ok: false, reason: 'relation does not exist' },
    ]);
  });

  it('counts a check that does not answer as not ready after two seconds', async () => {
    readiness.started();
    readiness.add('stuck', () => new Promise<boolean>(() => undefined));
    const report = readiness.evaluate();
    await clock.advance(2_000);
    expect(await report).toMatchObject({ ready: false, checks: [{ name: 'lifecycle' }, { name: 'stuck', ok: false }] });
  });

  it('is not ready while draining, and there is no way back', async () => {
    readiness.started();
    readiness.draining();
    readiness.started();
    expect(await get('/readyz')).toMatchObject({ status: 503, json: { checks: [{ reason: 'draining' }] } });
  });

  it('answers what it is, and refuses other paths and methods', async () => {
    expect(await get('/info')).toMatchObject({ status: 200, json: { name: 'probe' } });
    expect(await get('/metrics')).toMatchObject({ status: 200, text: expect.stringContaining('#') });
    expect(await get('/constructor')).toMatchObject({ status: 404 });
    expect(await get('/livez', { method: 'POST' })).toMatchObject({ status: 405 });
  });

  it('says so when its port is taken', async () => {
    const port = Number(new URL(listener.url).port);
    await expect(openInternalListener({ host: '127.0.0.1', port, readiness, info: () => ({}), config: () => undefined })).rejects.toThrow('EADDRINUSE');
  });
});
