import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { ConfigurationError } from '@plexus/kernel';

/** Whose key it is, and which: what was sealed for one opens for no other. */
export interface SecretName {
  readonly tenant: string;
  readonly subject: string;
  readonly name: string;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const CONTEXT = 'plexus/provider-secrets/v1';

/** Seals secrets for the database: AES-256-GCM under a key derived from the master key. The previous master key still opens. */
export class SecretBox {
  private readonly keys: ReadonlyMap<string, Buffer>;
  readonly keyId: string;

  constructor(master: string, previous?: string) {
    this.keyId = keyIdOf(master);
    this.keys = new Map([master, ...(previous === undefined ? [] : [previous])].map((key) => [keyIdOf(key), derive(key)]));
  }

  seal(of: SecretName, value: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.keys.get(this.keyId) as Buffer, iv).setAAD(aadOf(of));
    const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
  }

  /** Throws `ConfigurationError` when the master key that sealed it is not there, or the box is not what was sealed. */
  open(of: SecretName, keyId: string, box: Uint8Array): string {
    const key = this.keys.get(keyId);
    if (key === undefined)
      throw new ConfigurationError(`a provider key was sealed with a master key (${keyId}) that is neither the current nor the previous one`);
    const bytes = Buffer.from(box);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES)).setAAD(aadOf(of));
      decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new ConfigurationError('a sealed provider key was changed, moved or cut', { cause });
    }
  }
}

function derive(master: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, '', CONTEXT, 32));
}

function keyIdOf(master: string): string {
  return createHash('sha256').update(`plexus-master-key-id:${master}`).digest('hex').slice(0, 16);
}

/** Each part with its length in front: no two names give the same bytes. */
function aadOf({ tenant, subject, name }: SecretName): Buffer {
  return Buffer.concat(
    [CONTEXT, tenant, subject, name].map((part) => {
      const text = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, text]);
    }),
  );
}
