import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { plexusError } from '@plexus/contracts';
import type { FastifyRequest } from 'fastify';
import type { AuthenticationFailure } from '../../application/authenticator.js';
import { FailureLimit } from '../../domain/failure-limit.js';
import { rememberCaller } from './caller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

const SENTENCES: Readonly<Record<Exclude<AuthenticationFailure, 'unknown-tenant'>, string>> = {
  missing: 'send a bearer token in the Authorization header',
  mismatch: 'the bearer token is not valid',
  expired: 'the bearer token has expired',
  revoked: 'the bearer token was revoked',
};

/** Proves who calls by the bearer token. */
@Injectable()
export class BearerGuard implements CanActivate {
  private readonly failures = new FailureLimit();

  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const blockedMs = this.failures.blockedFor(request.ip, this.services.now());
    if (blockedMs > 0)
      throw plexusError('RATE_LIMITED', { message: 'too many failed authentication attempts from this address', details: { retryAfterMs: blockedMs } });
    const credential = await this.services.authenticator.authenticate(bearerOf(request.headers.authorization));
    if (!credential.ok) {
      if (credential.error !== 'missing') this.failures.note(request.ip, this.services.now());
      throw credential.error === 'unknown-tenant' ? plexusError('UNKNOWN_TENANT') : plexusError('UNAUTHENTICATED', { message: SENTENCES[credential.error] });
    }
    rememberCaller(request, credential.value);
    return true;
  }
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
}
