import { openBox, sealBox } from './sealed-box.js';

const address = { vmId: 'vm-1', epoch: 3, purpose: 'model-endpoint', name: 's/r/acme' };

describe('a box for one VM incarnation', () => {
  it('opens for its address and secret, and never shows what is in it', () => {
    const box = sealBox('secret-1', address, 'sk-ü-key');
    expect(openBox('secret-1', address, box)).toBe('sk-ü-key');
    expect(JSON.stringify(box)).not.toContain('sk-');
  });

  it('opens for no other VM, epoch, purpose, name or secret', () => {
    const box = sealBox('secret-1', address, 'x');
    const others = [{ vmId: 'vm-2' }, { epoch: 4 }, { purpose: 'other' }, { name: 's/r2/acme' }];
    for (const other of others) expect(openBox('secret-1', { ...address, ...other }, box)).toBeUndefined();
    expect(openBox('secret-2', address, box)).toBeUndefined();
  });

  it('does not open with a bit flipped anywhere, or cut short', () => {
    const box = sealBox('secret-1', address, 'a longer text');
    const flip = (text: string): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[0] = (bytes[0] as number) ^ 1;
      return bytes.toString('base64url');
    };
    for (const part of ['salt', 'iv', 'tag', 'ciphertext'] as const) {
      expect(openBox('secret-1', address, { ...box, [part]: flip(box[part] as string) })).toBeUndefined();
      expect(openBox('secret-1', address, { ...box, [part]: (box[part] as string).slice(0, -4) })).toBeUndefined();
    }
    expect(openBox('secret-1', address, { ...box, salt: undefined })).toBeUndefined();
  });

  it('uses no salt or IV twice', () => {
    const boxes = Array.from({ length: 2_000 }, () => sealBox('secret-1', address, 'x'));
    expect(new Set(boxes.map(({ salt, iv }) => `${salt}${iv}`)).size).toBe(boxes.length);
  });
});
