import { inspect } from 'node:util';
import { decodeMeshFrame, type MeshFrameOf, sealApiKeys } from '@plexus/vm-protocol';
import { KeyRing } from './key-ring.js';

const address = { vmId: 'vm-1', epoch: 2, clientNonce: 'client' };

function init(keys: Record<string, string>, options: { nonce?: string; secret?: string; previous?: string } = {}): MeshFrameOf<'init'> {
  const { nonce = 'server', secret = 'secret-1', previous } = options;
  const seal = (with_: string): unknown => sealApiKeys(with_, { ...address, serverNonce: nonce }, keys);
  const data = { user_id: 'me', org_id: 'o', api_keys: seal(secret), ...(previous !== undefined && { previous_api_keys: seal(previous) }) };
  const decoded = decodeMeshFrame(JSON.stringify({ type: 'init', protocol: 2, server_nonce: nonce, data }));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return decoded.value as MeshFrameOf<'init'>;
}

function ringOf(): { ring: KeyRing; logged: unknown[] } {
  const logged: unknown[] = [];
  return { ring: new KeyRing({ ...address, bootstrapSecret: 'secret-1', log: (_, message, fields) => void logged.push([message, fields]) }), logged };
}

describe('provider keys in the runtime', () => {
  it('are those of the newest connection, and are shown to nobody', () => {
    const { ring, logged } = ringOf();
    ring.accept(init({ acme: 'sk-acme', model: 'sk-model' }));
    expect([ring.get('acme'), ring.get('model'), ring.get('other')]).toEqual(['sk-acme', 'sk-model', undefined]);
    for (const shown of [JSON.stringify({ ring }), inspect({ ring }, { showHidden: true, depth: 9 }), String(ring)]) expect(shown).not.toContain('sk-');
    ring.accept(init({ model: 'sk-newer' }, { nonce: 'next' }));
    expect([ring.names, ring.get('model')]).toEqual([['model'], 'sk-newer']);
    expect(logged).toEqual([]);
  });

  it('that were sealed for another connection or secret are left out, by name', () => {
    const { ring, logged } = ringOf();
    ring.accept({ ...init({ acme: 'sk-acme' }), server_nonce: 'another' });
    ring.accept(init({ acme: 'sk-acme' }, { secret: 'secret-2' }));
    expect(ring.names).toEqual([]);
    expect(logged).toEqual(Array.from({ length: 2 }, () => ['provider keys that do not open are left out', { names: ['acme'] }]));
  });

  it('open also when the root secret was changed after this process was started', () => {
    const { ring, logged } = ringOf();
    ring.accept(init({ acme: 'sk-acme' }, { secret: 'secret-2', previous: 'secret-1' }));
    expect([ring.get('acme'), logged]).toEqual(['sk-acme', []]);
  });
});
