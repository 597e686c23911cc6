import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Encrypted } from './frame-parts.js';
import { openBox, sealBox } from './sealed-box.js';

/** Which connection of which incarnation `init.api_keys` is for: keys of another one do not open. */
export interface ApiKeysAddress {
  readonly vmId: string;
  readonly epoch: number;
  /** Of the process that greeted. */
  readonly clientNonce: string;
  /** Of the connection, in the same `init`. */
  readonly serverNonce: string;
}

const purposeOf = ({ clientNonce, serverNonce }: ApiKeysAddress): string => `api-keys/${clientNonce}/${serverNonce}`;

/** Reliable profile: seals provider keys, by name, with the bootstrap secret of the incarnation. */
export function sealApiKeys(bootstrapSecret: string, address: ApiKeysAddress, keys: Readonly<Record<string, string>>): Record<string, Encrypted> {
  const { vmId, epoch } = address;
  const purpose = purposeOf(address);
  return Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, sealBox(bootstrapSecret, { vmId, epoch, purpose, name }, key)]));
}

/** Opens what {@link sealApiKeys} made. Boxes that do not open are named in `refused`: those of another connection, VM, epoch, name or secret, or damaged ones. */
export function openApiKeys(
  bootstrapSecret: string,
  address: ApiKeysAddress,
  boxes: Readonly<Record<string, Encrypted>>,
): { readonly keys: Map<string, string>; readonly refused: string[] } {
  const { vmId, epoch } = address;
  const purpose = purposeOf(address);
  const keys = new Map<string, string>();
  const refused: string[] = [];
  for (const [name, box] of Object.entries(boxes)) {
    const key = openBox(bootstrapSecret, { vmId, epoch, purpose, name }, box);
    if (key === undefined) refused.push(name);
    else keys.set(name, key);
  }
  return { keys, refused };
}

const PLAIN_INFO = 'plexus/vm/api-keys/v1';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** For whom a provider key of the plain profile is. */
export interface PlainKeyAddress {
  readonly vmId: string;
  readonly userId: string;
  readonly provider: string;
}

const plainKey = (token: string, { vmId }: PlainKeyAddress): Buffer => Buffer.from(hkdfSync('sha256', token, vmId, PLAIN_INFO, KEY_BYTES));
const plainData = ({ userId, provider }: PlainKeyAddress): Buffer => Buffer.from(`${userId}:${provider}`, 'utf8');

/**
 * Plain profile: AES-256-GCM, key = HKDF-SHA256 of the VM token (salt the VM id, info `plexus/vm/api-keys/v1`), associated data
 * `<user_id>:<provider>`, a fresh iv for every value. All the protection that a runtime without a bootstrap secret can have.
 */
export function sealPlainKey(token: string, address: PlainKeyAddress, key: string): Encrypted {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', plainKey(token, address), iv).setAAD(plainData(address));
  const ciphertext = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()]);
  return {
    alg: 'aes-256-gcm',
    kdf: 'hkdf-sha256',
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    ciphertext: ciphertext.toString('base64'),
  };
}

/** Opens what {@link sealPlainKey} made; undefined for a box of another token, VM, user or provider, or a damaged one. */
export function openPlainKey(token: string, address: PlainKeyAddress, box: Encrypted): string | undefined {
  const [iv, tag] = [box.iv, box.tag].map((part) => Buffer.from(part, 'base64')) as [Buffer, Buffer];
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', plainKey(token, address), iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(plainData(address)).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(Buffer.from(box.ciphertext, 'base64')), decipher.final()]).toString('utf8');
  } catch {
    // `final` throws when the tag does not fit: the only way in which GCM says no.
    return undefined;
  }
}
