import { describe, expect, it } from '@jest/globals';
import { openApiKeys, openPlainKey } from '@plexus/vm-protocol';
import { ApiKeys } from './api-keys.js';

const incarnation = { vmId: 'vm-1', epoch: 2 };
const kim = { tenant: 'acme', subject: 'kim', scope: '' };

function apiKeys(stored: Record<string, string | Error>, secrets = ['present']) {
  const unreadable: string[] = [];
  const store = {
    list: async (_: string, subject: string) => (subject === 'kim' ? Object.keys(stored).map((name) => ({ name, updatedAt: '' })) : []),
    get: async (_: string, __: string, name: string) => {
      const value = stored[name];
      if (value instanceof Error) throw value;
      return value;
    },
  };
  return { keys: new ApiKeys({ secrets: store, bootstrapSecrets: () => secrets, onUnreadable: (name) => void unreadable.push(name) }), unreadable };
}

describe('provider keys of the owner of a VM', () => {
  it('are sealed for the process and the connection that ask, and nobody reads them on the way', async () => {
    const { keys } = apiKeys({ acme: 'sk-acme', model: 'sk-model' });
    const { init, serverNonce = '' } = await keys.seal(incarnation, kim, { protocol: 2, clientNonce: 'client' });
    expect(openApiKeys('present', { ...incarnation, clientNonce: 'client', serverNonce }, init.api_keys).keys).toEqual(
      new Map([
        ['acme', 'sk-acme'],
        ['model', 'sk-model'],
      ]),
    );
    expect(init.previous_api_keys).toBeUndefined();
    expect(JSON.stringify(init)).not.toContain('sk-');
    const again = await keys.seal(incarnation, kim, { protocol: 2, clientNonce: 'client' });
    expect(again.serverNonce).not.toBe(serverNonce);
    expect(openApiKeys('present', { ...incarnation, clientNonce: 'client', serverNonce: again.serverNonce ?? '' }, init.api_keys).keys.size).toBe(0);
  });

  it('open also for an incarnation that was started before the root secret was changed', async () => {
    const { keys } = apiKeys({ acme: 'sk-acme' }, ['present', 'before']);
    const { init, serverNonce = '' } = await keys.seal(incarnation, kim, { protocol: 2, clientNonce: 'client' });
    const address = { ...incarnation, clientNonce: 'client', serverNonce };
    expect(openApiKeys('before', address, init.api_keys).keys.size).toBe(0);
    expect(openApiKeys('before', address, init.previous_api_keys ?? {}).keys).toEqual(new Map([['acme', 'sk-acme']]));
  });

  it('come to a plain runtime under the token that it came with, and not at all without one', async () => {
    const { keys } = apiKeys({ acme: 'sk-acme' });
    const { init, serverNonce } = await keys.seal(incarnation, kim, { protocol: 1, token: 'token-1' });
    const box = init.api_keys.acme;
    expect(box && openPlainKey('token-1', { vmId: 'vm-1', userId: 'kim', provider: 'acme' }, box)).toBe('sk-acme');
    expect(serverNonce).toBeUndefined();
    expect(await keys.seal(incarnation, kim, { protocol: 1 })).toEqual({ init: { api_keys: {} } });
    expect(await keys.seal(incarnation, kim, { protocol: 2 })).toEqual({ init: { api_keys: {} } });
  });

  it('are none for a VM that nobody owns, that a tenant shares, or where no keys are kept', async () => {
    const { keys } = apiKeys({ acme: 'sk-acme' });
    for (const subject of ['_warm', '*', 'lee'])
      expect((await keys.seal(incarnation, { ...kim, subject }, { protocol: 2, clientNonce: 'client' })).init).toEqual({ api_keys: {} });
    const none = new ApiKeys({ secrets: undefined, bootstrapSecrets: () => ['present'], onUnreadable: () => undefined });
    expect((await none.seal(incarnation, kim, { protocol: 2, clientNonce: 'client' })).init).toEqual({ api_keys: {} });
  });

  it('that cannot be read are left out, and the VM comes in all the same', async () => {
    const { keys, unreadable } = apiKeys({ broken: new Error('no master key opens it'), acme: 'sk-acme' });
    const { init } = await keys.seal(incarnation, kim, { protocol: 2, clientNonce: 'client' });
    expect([Object.keys(init.api_keys), unreadable]).toEqual([['acme'], ['broken']]);
  });
});
