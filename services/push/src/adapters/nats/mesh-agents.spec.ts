import type { Bus } from '@plexus/bus';
import { type ErrorCode, plexusError } from '@plexus/contracts';
import { MeshAgents } from './mesh-agents.js';

describe('which agents there are', () => {
  const owner = { tenant: 'acme', user: 'ada' };
  const asking = (answer: () => { sessionKey: string; agentId: string }) => {
    const bus = { call: async () => answer() } as unknown as Pick<Bus, 'call'>;
    return new MeshAgents(bus, (tenant, user) => ({ tenant, user, role: 'service', credentialId: 'push', scopes: [] }));
  };
  const failing = (code: ErrorCode) =>
    asking(() => {
      throw plexusError(code);
    });

  it('is said by routing, which knows how their ids are written, and which are none', async () => {
    expect(await asking(() => ({ sessionKey: 'agent:scout:main', agentId: 'scout' })).idOf(owner, ' Scout ')).toBe('scout');
    expect(await failing('NOT_FOUND').idOf(owner, 'ghost')).toBeUndefined();
  });

  it('cannot be had while routing is away: not as if whoever was asked were away', async () => {
    for (const code of ['NO_RESPONDERS', 'TIMEOUT', 'UNAVAILABLE'] as const) {
      await expect(failing(code).idOf(owner, 'main')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
    await expect(failing('FORBIDDEN').idOf(owner, 'main')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
