import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { ConfigurationError, err, ok, type Result } from '@plexus/kernel';

const VERSION = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The key that seals secrets at rest, ready for use. */
export interface MasterKey {
  /** Names the key in what it sealed; tells nothing about it. */
  readonly id: string;
  readonly key: Uint8Array;
}

/** The key in use and, while secrets are sealed anew, the one before it. */
export interface MasterKeys {
  readonly current: MasterKey;
  readonly previous?: MasterKey;
}

export interface SealFault {
  readonly code: 'not_sealed' | 'unknown_key' | 'wrong_context_or_damaged';
  readonly message: string;
}

/** Reads a master key: 32 bytes in base64, base64url or hex. Throws `ConfigurationError`, which never quotes the text. */
export function parseMasterKey(text: string): MasterKey {
  const trimmed = text.trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64');
  const canonical = bytes.toString('base64').replace(/=+$/, '');
  const isText = /^[0-9a-fA-F]{64}$/.test(trimmed) || canonical === trimmed.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  if (bytes.length !== 32 || !isText) throw new ConfigurationError('the master key must be 32 bytes in base64 or hex');
  const id = createHash('sha256').update('plexus master key id').update(bytes).digest('hex').slice(0, 8);
  return { id, key: new Uint8Array(hkdfSync('sha256', bytes, '', 'plexus sealed secret', 32)) };
}

/**
 * Seals a secret with AES-256-GCM. `context` (the tenant) is bound to it: what was sealed for one cannot be opened for another. The
 * result is a reference to be written into the document.
 */
export function sealSecret(plaintext: string, master: MasterKey, context: string): { sealed: string } {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', master.key, iv);
  cipher.setAAD(associatedData(master.id, context));
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { sealed: [VERSION, master.id, iv.toString('base64url'), body.toString('base64url')].join('.') };
}

/** Opens what `sealSecret` sealed for the same context, with the current or the previous master key. */
export function openSecret(reference: { readonly sealed: string }, keys: MasterKeys, context: string): Result<string, SealFault> {
  const [version, keyId, ivText, bodyText, ...rest] = reference.sealed.split('.');
  const iv = Buffer.from(ivText ?? '', 'base64url');
  const body = Buffer.from(bodyText ?? '', 'base64url');
  if (version !== VERSION || keyId === undefined || rest.length > 0 || iv.length !== IV_BYTES || body.length < TAG_BYTES) {
    return err({ code: 'not_sealed', message: 'this is no sealed secret' });
  }
  const master = [keys.current, keys.previous].find((key) => key?.id === keyId);
  if (master === undefined) return err({ code: 'unknown_key', message: 'sealed with a master key that this process does not have' });
  const decipher = createDecipheriv('aes-256-gcm', master.key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(keyId, context));
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  try {
    return ok(Buffer.concat([decipher.update(body.subarray(0, body.length - TAG_BYTES)), decipher.final()]).toString('utf8'));
  } catch {
    // `final` throws when the tag does not fit: the only way in which GCM says no.
    return err({ code: 'wrong_context_or_damaged', message: 'sealed for another tenant, or damaged' });
  }
}

/** True when the secret should be sealed anew because another than the current master key sealed it. */
export function needsReseal(reference: { readonly sealed: string }, keys: MasterKeys): boolean {
  return reference.sealed.split('.')[1] !== keys.current.id;
}

/** Seals a secret anew with the current master key; for the rotation of master keys. */
export function resealSecret(reference: { readonly sealed: string }, keys: MasterKeys, context: string): Result<{ sealed: string }, SealFault> {
  const opened = openSecret(reference, keys, context);
  return opened.ok ? ok(sealSecret(opened.value, keys.current, context)) : opened;
}

function associatedData(keyId: string, context: string): Buffer {
  return Buffer.from(JSON.stringify([VERSION, keyId, context]), 'utf8');
}
