import { PlexusError } from '@plexus/kernel';
import { bench, dataOf, runOf, settle } from '../../../test/support/bridge-bench.js';

describe('what a bridge asks of the mesh', () => {
  it('is answered once each, with the result or the code of the error', async () => {
    const { adapter, child } = bench({
      calls: {
        async request(sessionId, method) {
          if (method === 'memory_search') return { results: [sessionId] };
          throw new PlexusError({ code: 'METHOD_NOT_FOUND', message: 'no such method' });
        },
        tell: async () => undefined,
      },
    });
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    child().says({ type: 'cp_request', id: 'a', session_id: 's1', method: 'memory_search', params: { query: 'x' } });
    child().says({ type: 'cp_request', id: 'b', session_id: 's1', method: 'what' });
    child().says({ type: 'cp_request', id: 'c', session_id: 'unknown', method: 'memory_search' });
    await settle();
    expect(
      child()
        .of('cp_response')
        .sort((x, y) => String(x.id).localeCompare(String(y.id))),
    ).toEqual([
      { type: 'cp_response', session_id: 's1', id: 'a', result: { results: ['s1'] }, error: null },
      { type: 'cp_response', session_id: 's1', id: 'b', result: null, error: { code: 'METHOD_NOT_FOUND', message: 'no such method' } },
      { type: 'cp_response', session_id: 'unknown', id: 'c', result: null, error: expect.objectContaining({ code: 'SESSION_NOT_FOUND' }) },
    ]);
    child().exit();
    await run.done;
  });

  it('ends with the bridge, and more than 64 at once are refused', async () => {
    const signals: AbortSignal[] = [];
    const { adapter, child } = bench({
      calls: {
        request: (_, __, ___, options) =>
          new Promise((_resolve, reject) => {
            signals.push(options?.signal as AbortSignal);
            options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
          }),
        tell: async () => undefined,
      },
    });
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    for (let count = 0; count < 65; count++) child().says({ type: 'cp_request', id: `q${count}`, session_id: 's1', method: 'get_config' });
    await settle();
    expect([signals.length, child().of('cp_response')]).toMatchObject([64, [{ id: 'q64', error: { code: 'TOO_MANY_REQUESTS' } }]]);
    child().exit();
    await run.done;
    expect(signals.every((signal) => signal.aborted)).toBe(true);
  });

  it('is told on; while the mesh takes nothing the bridge is not read further, and a snapshot is not told but given', async () => {
    const told: string[] = [];
    const waiting: (() => void)[] = [];
    const { adapter, child } = bench({
      calls: {
        request: async () => undefined,
        tell: (_, method) => {
          told.push(method);
          return new Promise((resolve) => waiting.push(resolve));
        },
      },
    });
    const run = runOf(adapter.start(dataOf('s1')));
    await settle();
    child().says({ type: 'cp_fire_and_forget', session_id: 's1', method: 'snapshot_sync', params: {} });
    for (let count = 0; count < 64; count++) child().says({ type: 'cp_fire_and_forget', session_id: 's1', method: 'audit_log', params: {} });
    expect([new Set(told), told.length, child().paused]).toEqual([new Set(['audit_log']), 64, true]);
    for (const release of waiting) release();
    await settle();
    expect(child().paused).toBe(false);
    child().exit();
    await run.done;
  });
});
