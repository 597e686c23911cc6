import { describe, expect, it } from '@jest/globals';
import { SecretBox } from './secret-box.js';

const MASTER = 'master-key-of-the-test-0123456789abcdef';
const of = { tenant: 'acme', subject: 'ada', name: 'openai' };

describe('a sealed provider key', () => {
  it('opens for whom it was sealed, also after the master key was changed, and never twice the same', () => {
    const old = new SecretBox(MASTER);
    const box = old.seal(of, 'sk-1');
    expect(new SecretBox('another-master-key-0123456789abcdefgh', MASTER).open(of, old.keyId, box)).toBe('sk-1');
    expect(old.seal(of, 'sk-1').equals(box)).toBe(false);
    expect(box.includes('sk-1')).toBe(false);
  });

  it.each([
    ['another tenant', { ...of, tenant: 'acm' }],
    ['another user', { ...of, subject: 'bob' }],
    ['another name', { ...of, name: 'openai2' }],
    ['parts that only look alike when joined', { ...of, tenant: 'acmea', subject: 'da' }],
  ])('does not open for %s', (_what, other) => {
    const secrets = new SecretBox(MASTER);
    expect(() => secrets.open(other, secrets.keyId, secrets.seal(of, 'sk-1'))).toThrow('changed, moved or cut');
  });

  it('does not open with one bit flipped, cut short, or without the key that sealed it', () => {
    const secrets = new SecretBox(MASTER);
    const box = secrets.seal(of, 'sk-1');
    for (let at = 0; at < box.length; at += 1) {
      const flipped = Buffer.from(box);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
      expect(() => secrets.open(of, secrets.keyId, flipped)).toThrow('changed, moved or cut');
    }
    expect(() => secrets.open(of, secrets.keyId, box.subarray(0, 20))).toThrow('changed, moved or cut');
    expect(() => new SecretBox('another-master-key-0123456789abcdefgh').open(of, secrets.keyId, box)).toThrow('neither the current nor the previous');
  });
});
