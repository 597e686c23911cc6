import type { Bucket } from '@plexus/bus';
import type { Clock, Timer } from '@plexus/kernel';
import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair } from 'jose';
import type { Logger } from 'pino';
import { ALGORITHM } from './token-format.js';

/** Entries of PLEXUS_KEYS expire after a day; a running process renews its own far more often, also to repair a bucket that was lost. */
const REPUBLISH_MS = 10 * 60_000;

/**
 * The key that this process signs with. It is made at the start, lives in memory only and dies with the process; its public half is
 * published as `<service>.<kid>`, and NATS permissions let a service write under its own name only. The kid is the thumbprint of the
 * key (RFC 7638), so that an entry cannot be replaced by another key.
 */
export class SigningKey {
  private timer: Timer | undefined;
  private stopped = false;

  private constructor(
    readonly kid: string,
    readonly privateKey: CryptoKey,
    private readonly entry: { readonly key: string; readonly value: object },
    private readonly bucket: Bucket,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Makes a key pair and publishes its public half. Rejects when the bucket cannot be written. */
  static async publish(service: string, instanceId: string, bucket: Bucket, clock: Clock, log: Logger): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(ALGORITHM);
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    const value = { ...jwk, kid, alg: ALGORITHM, use: 'sig', iss: service, instance: instanceId };
    const key = new SigningKey(kid, privateKey, { key: `${service}.${kid}`, value }, bucket, clock, log);
    await bucket.put(key.entry.key, value);
    key.renewLater();
    return key;
  }

  /** Publishes again at once, for example after a reconnect to a server that may have lost the bucket. */
  async republish(): Promise<void> {
    try {
      if (!this.stopped) await this.bucket.put(this.entry.key, this.entry.value);
    } catch (error) {
      this.log.warn({ error }, 'the public key could not be renewed; trying again later');
    }
  }

  /** Stops renewing. The entry stays: tokens on their way are still valid; it expires by itself. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private renewLater(): void {
    this.timer = this.clock
      .setTimeout(() => {
        void this.republish().then(() => {
          if (!this.stopped) this.renewLater();
        });
      }, REPUBLISH_MS)
      .unref();
  }
}
