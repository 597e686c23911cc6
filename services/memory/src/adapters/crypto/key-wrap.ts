import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const VERSION = 'w1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A secret from which keys are made that wrap the keys of tenants. */
export interface MasterKey {
  /** Names it in what it wrapped; tells nothing about it. */
  readonly id: string;
  readonly key: Uint8Array;
}

/** Makes the wrapping key of a secret of any form; how strong it is was checked before. */
export function masterKeyFrom(secret: string): MasterKey {
  const bytes = Buffer.from(secret, 'utf8');
  const id = createHash('sha256').update('plexus memory master key id').update(bytes).digest('hex').slice(0, 12);
  return { id, key: new Uint8Array(hkdfSync('sha256', bytes, '', 'plexus memory tenant keys', 32)) };
}

/** Wraps and opens keys of tenants with AES-256-GCM. The tenant is bound to what was wrapped: exchanging two rows is noticed. */
export class KeyWrap {
  constructor(
    private readonly current: MasterKey,
    private readonly previous?: MasterKey,
  ) {}

  wrap(key: Uint8Array, tenant: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.current.key, iv);
    cipher.setAAD(boundTo(this.current.id, tenant));
    const body = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    return [VERSION, this.current.id, iv.toString('base64url'), body.toString('base64url')].join('.');
  }

  /** Undefined when it was wrapped by a master key that is not here, for another tenant, or is damaged. */
  open(wrapped: string, tenant: string): Uint8Array | undefined {
    const [version, id, iv = '', text = ''] = wrapped.split('.');
    const master = [this.current, this.previous].find((key) => key?.id === id);
    const body = Buffer.from(text, 'base64url');
    if (version !== VERSION || master === undefined || body.length <= TAG_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', master.key, Buffer.from(iv, 'base64url'), { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(master.id, tenant));
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
    } catch {
      return undefined; // `final` throws when the tag does not fit: the only way in which GCM says no
    }
  }

  /** True when another than the current master key wrapped it. */
  isOld(wrapped: string): boolean {
    return wrapped.split('.')[1] !== this.current.id;
  }
}

function boundTo(id: string, tenant: string): Buffer {
  return Buffer.from(JSON.stringify([VERSION, id, tenant]), 'utf8');
}
