import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Encrypted } from './frame-parts.js';

const VERSION = 'v1';
const KEY_BYTES = 32;
const SALT_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** For whom and for what a box was sealed: it opens nowhere else. */
export interface BoxAddress {
  readonly vmId: string;
  readonly epoch: number;
  readonly purpose: string;
  readonly name: string;
}

/**
 * Seals a text for one VM incarnation with AES-256-GCM. The key is derived from the bootstrap secret, which never travels on the socket, and
 * from a salt of the box's own: whoever seals needs to remember nothing, and no IV meets the same key twice.
 */
export function sealBox(bootstrapSecret: string, address: BoxAddress, text: string): Encrypted {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(bootstrapSecret, salt), iv).setAAD(associatedData(address));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return {
    alg: 'aes-256-gcm',
    kdf: 'hkdf-sha256',
    salt: salt.toString('base64url'),
    iv: iv.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
    ciphertext: ciphertext.toString('base64url'),
  };
}

/** Opens a box. Undefined for one of another VM, epoch, purpose or name, of another secret, cut, or with a bit flipped. */
export function openBox(bootstrapSecret: string, address: BoxAddress, box: Encrypted): string | undefined {
  const [salt, iv, tag] = [box.salt ?? '', box.iv, box.tag].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer];
  if (salt.length !== SALT_BYTES || iv.length !== IV_BYTES || tag.length !== TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', keyOf(bootstrapSecret, salt), iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(address)).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(Buffer.from(box.ciphertext, 'base64url')), decipher.final()]).toString('utf8');
  } catch {
    // `final` throws when the tag does not fit: the only way in which GCM says no.
    return undefined;
  }
}

function keyOf(bootstrapSecret: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', bootstrapSecret, salt, 'plexus/vm/sealed-box/v1', KEY_BYTES));
}

/** Each part with its length in front: no two addresses give the same bytes. */
function associatedData({ vmId, epoch, purpose, name }: BoxAddress): Buffer {
  return Buffer.concat(
    [VERSION, vmId, String(epoch), purpose, name].map((part) => {
      const text = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, text]);
    }),
  );
}
