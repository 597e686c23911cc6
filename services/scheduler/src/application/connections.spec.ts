import { Connections } from './connections.js';
import type { ConnectionStore } from './ports.js';

const MESSAGE_BYTES = 1_048_576;

/** Connections of which only the outbox works; every frame is filled up to `bytes` when it leaves. */
function withOutbox(count: number, bytes: number): Connections {
  const rows = Array.from({ length: count }, (_, index) => ({ fseq: index + 1, frame: { type: 'config_update' } }));
  const store = {
    readOutbox: async (_key: unknown, _gen: number, after: number, limit: number) => ({
      frames: rows.filter(({ fseq }) => fseq > after).slice(0, limit),
      head: count,
      tenant: 'acme',
      provider: 'local',
    }),
  } as unknown as ConnectionStore;
  return new Connections(store, {} as never, {} as never, {
    leaseMs: 30_000,
    model: { baseUrl: undefined, model: undefined },
    onTransition: () => undefined,
    admission: {} as never,
    endpoints: { attach: (_key, _tenant, frame) => frame },
    apiKeys: {} as never,
    settings: { attach: async (_key, _tenant, frame) => ({ ...frame, skill_index: 'x'.repeat(bytes) }) },
    isExternal: () => false,
    onFenced: () => undefined,
  });
}

describe('frames that grow when they leave', () => {
  it.each([
    [64, 30_000],
    [3, 700_000],
  ])('%i of %i bytes fit their messages, and all of them arrive in order', async (count, bytes) => {
    const connections = withOutbox(count, bytes);
    const arrived: number[] = [];
    for (let page = 0; page < count && arrived.length < count; page += 1) {
      const answer = await connections.read({ tenant: 'acme', vmId: 'vm-1', epoch: 1 }, 1, arrived.at(-1) ?? 0, 64);
      expect(JSON.stringify(answer).length).toBeLessThan(MESSAGE_BYTES);
      expect(answer.head).toBe(count);
      arrived.push(...answer.frames.map(({ fseq }) => fseq));
    }
    expect(arrived).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  });
});
