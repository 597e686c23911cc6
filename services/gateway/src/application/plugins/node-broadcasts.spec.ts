import { nodeBroadcasts } from './node-broadcasts.js';

describe('what plugins tell nodes', () => {
  const sent: unknown[][] = [];
  const broadcasts = nodeBroadcasts({ send: (...args: unknown[]) => void sent.push(args) }, { has: (tenant) => tenant === 'acme' });
  beforeEach(() => sent.splice(0));

  it('goes to the audience that is named, of the tenant that is named', () => {
    broadcasts.sendToSession({ tenant: 'acme', owner: 'ann', sessionKey: 'agent:main:main' }, 'lamp', { on: true });
    broadcasts.sendToAllSubscribed('acme', 'lamp', [1]);
    broadcasts.sendToAllConnected('acme', 'lamp', undefined);
    expect(sent).toEqual([
      ['acme', { kind: 'session', owner: 'ann', sessionKey: 'agent:main:main' }, 'lamp', { on: true }],
      ['acme', { kind: 'subscribed' }, 'lamp', [1]],
      ['acme', { kind: 'connected' }, 'lamp', {}],
    ]);
  });

  it('is refused for an unknown tenant, and when other gateways could not be told the same', () => {
    expect(() => broadcasts.sendToAllConnected('nobody', 'lamp', {})).toThrow(expect.objectContaining({ code: 'UNKNOWN_TENANT' }));
    expect(() => broadcasts.sendToAllConnected('acme', '', {})).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(() => broadcasts.sendToAllConnected('acme', 'lamp', () => 1)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(() => broadcasts.sendToAllConnected('acme', 'lamp', 'x'.repeat(300_000))).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }));
    expect(sent).toEqual([]);
  });
});
