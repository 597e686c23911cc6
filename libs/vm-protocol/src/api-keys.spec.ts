import { createDecipheriv, hkdfSync } from 'node:crypto';
import { openApiKeys, openPlainKey, sealApiKeys, sealPlainKey } from './api-keys.js';
import type { Encrypted } from './frame-parts.js';

const address = { vmId: 'vm-1', epoch: 3, clientNonce: 'client-1', serverNonce: 'server-1' };
const plain = { vmId: 'vm-1', userId: 'kim', provider: 'acme' };

const flipped = (text: string, encoding: 'base64' | 'base64url'): string => {
  const bytes = Buffer.from(text, encoding);
  bytes[0] = (bytes[0] as number) ^ 1;
  return bytes.toString(encoding);
};

describe('provider keys of the reliable profile (C8)', () => {
  const boxes = sealApiKeys('secret-1', address, { acme: 'sk-acme', other: 'sk-other' });

  it('open on the connection that they were sealed for', () => {
    expect(openApiKeys('secret-1', address, boxes)).toEqual({
      keys: new Map([
        ['acme', 'sk-acme'],
        ['other', 'sk-other'],
      ]),
      refused: [],
    });
    expect(JSON.stringify(boxes)).not.toContain('sk-');
  });

  it.each([
    ['another VM', { vmId: 'vm-2' }],
    ['another epoch', { epoch: 4 }],
    ['another process', { clientNonce: 'client-2' }],
    ['an earlier connection', { serverNonce: 'server-0' }],
  ])('do not open for %s', (_, other) => {
    expect(openApiKeys('secret-1', { ...address, ...other }, boxes)).toEqual({ keys: new Map(), refused: ['acme', 'other'] });
  });

  it('do not open under another name or secret, cut short or with a bit flipped', () => {
    const acme = boxes.acme as Encrypted;
    const damaged = { moved: acme, cut: { ...acme, ciphertext: acme.ciphertext.slice(0, -4) }, flipped: { ...acme, tag: flipped(acme.tag, 'base64url') } };
    expect(openApiKeys('secret-1', address, damaged).keys.size).toBe(0);
    expect(openApiKeys('secret-2', address, boxes).keys.size).toBe(0);
  });
});

describe('provider keys of the plain profile (C8)', () => {
  it('are what the protocol says, for whoever opens them without this library', () => {
    const box = sealPlainKey('token-1', plain, 'sk-ü');
    const key = Buffer.from(hkdfSync('sha256', 'token-1', 'vm-1', 'plexus/vm/api-keys/v1', 32));
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(box.iv, 'base64')).setAAD(Buffer.from('kim:acme'));
    decipher.setAuthTag(Buffer.from(box.tag, 'base64'));
    expect(decipher.update(box.ciphertext, 'base64', 'utf8') + decipher.final('utf8')).toBe('sk-ü');
    expect(openPlainKey('token-1', plain, box)).toBe('sk-ü');
  });

  it('do not open for another token, VM, user or provider, cut short or with a bit flipped', () => {
    const box = sealPlainKey('token-1', plain, 'sk-1');
    for (const other of [{ vmId: 'vm-2' }, { userId: 'lee' }, { provider: 'other' }])
      expect(openPlainKey('token-1', { ...plain, ...other }, box)).toBeUndefined();
    expect(openPlainKey('token-2', plain, box)).toBeUndefined();
    for (const part of ['iv', 'tag', 'ciphertext'] as const) {
      expect(openPlainKey('token-1', plain, { ...box, [part]: flipped(box[part], 'base64') })).toBeUndefined();
      expect(openPlainKey('token-1', plain, { ...box, [part]: box[part].slice(4) })).toBeUndefined();
    }
  });

  it('never meet the same iv twice', () => {
    const ivs = Array.from({ length: 10_000 }, () => sealPlainKey('token-1', plain, 'x').iv);
    expect(new Set(ivs).size).toBe(ivs.length);
  });
});
