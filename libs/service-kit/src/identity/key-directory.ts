import type { Bucket } from '@plexus/bus';
import { plexusError } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { calculateJwkThumbprint, type CryptoKey, importJWK, type JWK } from 'jose';
import { LRUCache } from 'lru-cache';
import { ALGORITHM } from './token-format.js';

/** A key that was taken out of the bucket stops being trusted after so long. */
const KNOWN_FOR_MS = 5 * 60_000;
/** An unknown kid is not looked up again for so long: forged tokens must not become load on NATS. */
const UNKNOWN_FOR_MS = 10_000;
const MAX_KEYS = 2_000;
/** Look-ups under way at the same time; more are refused, see above. */
const MAX_READS = 32;

/** Characters of a base64url SHA-256 thumbprint, and of a service name. */
const KID = /^[A-Za-z0-9_-]{43}$/;
const ISSUER = /^[a-z0-9][a-z0-9_-]{0,63}$/;

const reads = counter('signingKeyReads');

type Known = { readonly key: CryptoKey | undefined; readonly until: number };

/** Public keys of the mesh: `<service>.<kid>` in PLEXUS_KEYS, read once per kid and remembered, also when there is none. */
export class KeyDirectory {
  private readonly known = new LRUCache<string, Known>({ max: MAX_KEYS });
  private readonly reading = new Map<string, Promise<CryptoKey | undefined>>();

  constructor(
    private readonly bucket: Pick<Bucket, 'get'>,
    private readonly clock: Clock,
  ) {}

  /** The key that `issuer` published under `kid`, or nothing. Rejects with UNAVAILABLE when the bucket cannot be read now. */
  async find(issuer: string, kid: string): Promise<CryptoKey | undefined> {
    if (!ISSUER.test(issuer) || !KID.test(kid)) return undefined;
    const name = `${issuer}.${kid}`;
    const known = this.known.get(name);
    if (known !== undefined && known.until > this.clock.monotonic()) return known.key;
    return this.reading.get(name) ?? this.read(name, kid);
  }

  private read(name: string, kid: string): Promise<CryptoKey | undefined> {
    if (this.reading.size >= MAX_READS) return Promise.reject(plexusError('UNAVAILABLE', { details: { reason: 'too many unknown signing keys at once' } }));
    const reading = this.readEntry(name, kid).finally(() => this.reading.delete(name));
    this.reading.set(name, reading);
    return reading;
  }

  private async readEntry(name: string, kid: string): Promise<CryptoKey | undefined> {
    let key: CryptoKey | undefined;
    try {
      const entry = await this.bucket.get(name);
      key = entry === undefined ? undefined : await importPublished(entry.json(), kid);
    } catch (error) {
      reads.add(1, { outcome: 'error' });
      throw plexusError('UNAVAILABLE', { details: { reason: 'the signing keys cannot be read' }, cause: error });
    }
    reads.add(1, { outcome: key === undefined ? 'unknown' : 'found' });
    this.known.set(name, { key, until: this.clock.monotonic() + (key === undefined ? UNKNOWN_FOR_MS : KNOWN_FOR_MS) });
    return key;
  }
}

/** An entry counts only when it is an Ed25519 key whose thumbprint is its name. */
async function importPublished(value: unknown, kid: string): Promise<CryptoKey | undefined> {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kty, crv, x } = value as JWK;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') return undefined;
  const jwk: JWK = { kty, crv, x };
  if ((await calculateJwkThumbprint(jwk)) !== kid) return undefined;
  return (await importJWK(jwk, ALGORITHM)) as CryptoKey;
}
