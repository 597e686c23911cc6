import { plexusError } from '@plexus/contracts';
import type { FastifyRequest } from 'fastify';
import type { AuthenticationFailure, Authenticator } from '../../application/authenticator.js';
import type { Credential } from '../../domain/caller.js';
import { FailureLimit } from '../../domain/failure-limit.js';
import type { HttpRates, UsageLimits } from '../../domain/request-rates.js';

const SENTENCES: Readonly<Record<Exclude<AuthenticationFailure, 'unknown-tenant'>, string>> = {
  missing: 'send a bearer token in the Authorization header',
  mismatch: 'the bearer token is not valid',
  expired: 'the bearer token has expired',
  revoked: 'the bearer token was revoked',
};

/** Says who sent a request, by its bearer token. */
export class BearerCheck {
  private readonly failures = new FailureLimit();

  constructor(
    private readonly authenticator: Authenticator,
    private readonly rates: HttpRates,
    private readonly usage: UsageLimits,
    /** Wall clock, ms. */
    private readonly now: () => number,
  ) {}

  /** Rejects with UNAUTHENTICATED, UNKNOWN_TENANT, or RATE_LIMITED for an address that guesses and for a user that asks too often. */
  async prove(request: FastifyRequest): Promise<Credential> {
    const blockedMs = this.failures.blockedFor(request.ip, this.now());
    if (blockedMs > 0)
      throw plexusError('RATE_LIMITED', { message: 'too many failed authentication attempts from this address', details: { retryAfterMs: blockedMs } });
    const credential = await this.authenticator.authenticate(bearerOf(request.headers.authorization));
    if (!credential.ok) {
      if (credential.error !== 'missing') this.failures.note(request.ip, this.now());
      throw credential.error === 'unknown-tenant' ? plexusError('UNKNOWN_TENANT') : plexusError('UNAUTHENTICATED', { message: SENTENCES[credential.error] });
    }
    const { tenant, user } = credential.value;
    const waitMs = this.rates.ofUser(tenant, user, request.ip);
    if (waitMs > 0) throw plexusError('RATE_LIMITED', { message: 'too many requests of this user', details: { retryAfterMs: waitMs } });
    const excess = this.usage.take({ tenant, user, address: request.ip }, Number(request.headers['content-length'] ?? 0) || 0);
    if (excess === undefined) return credential.value;
    throw plexusError('RATE_LIMITED', {
      message: `too many ${excess.what} of this ${excess.whose}`,
      details: { retryAfterMs: excess.waitMs, whose: excess.whose, what: excess.what },
    });
  }
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
}
