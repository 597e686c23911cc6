import { plexusError } from '@plexus/contracts';
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import type { Log } from '../../application/ports.js';

/** Keys are read again after this, and not more often than that however many tokens name keys that are unknown. */
const FRESH_MS = 600_000;
const COOLDOWN_MS = 30_000;
/** Keys of an issuer that is away are good for so long. */
const KEEP_MS = 86_400_000;

/**
 * The public keys of one issuer. Like jose's remote set (cached, one request at a time, a cooldown), but the last good keys stay while the
 * issuer is away, and an issuer that is away is not asked for every token.
 */
export class RemoteKeys {
  private keys: ReturnType<typeof createLocalJWKSet> | undefined;
  private readAt = 0;
  private triedAt: number | undefined;
  private reading: Promise<void> | undefined;

  constructor(
    private readonly read: () => Promise<JSONWebKeySet>,
    /** A clock that never goes back, ms. */
    private readonly now: () => number,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  /** The key that a token names. Rejects with UNAVAILABLE when there are none, and with jose's error when none fits. */
  readonly find = async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    const age = this.now() - this.readAt;
    if (this.keys === undefined || age > KEEP_MS) await this.refresh();
    // What is old is still good for this token; the next ones get what comes now.
    else if (age > FRESH_MS) void this.refresh();
    const { keys } = this;
    if (keys === undefined || this.now() - this.readAt > KEEP_MS)
      throw plexusError('UNAVAILABLE', { message: 'the keys of the issuer of the token cannot be read' });
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.refresh();
      if (this.keys === keys) throw error;
      return (this.keys as typeof keys)(header, token);
    }
  };

  /** Never rejects. */
  private refresh(): Promise<void> {
    if (this.reading !== undefined) return this.reading;
    const now = this.now();
    if (this.triedAt !== undefined && now - this.triedAt < COOLDOWN_MS) return Promise.resolve();
    this.triedAt = now;
    this.reading = this.load().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async load(): Promise<void> {
    try {
      this.keys = createLocalJWKSet(await this.read());
      this.readAt = this.now();
    } catch (error) {
      this.log.warn({ error }, 'the keys of an issuer of tokens cannot be read; the last ones stay');
    }
  }
}
