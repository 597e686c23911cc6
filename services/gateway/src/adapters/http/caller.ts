import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { hasScope, plexusError, type Principal } from '@plexus/contracts';
import type { FastifyRequest } from 'fastify';
import { type Credential, principalOf } from '../../domain/caller.js';

interface Proven {
  readonly credential: Credential;
  readonly principal: Principal;
}

const CALLERS = new WeakMap<object, Proven>();

/** Notes who sent a request, once that is proven: everything that the credential allows. */
export function rememberCaller(request: FastifyRequest, credential: Credential): void {
  CALLERS.set(request.raw, { credential, principal: principalOf(credential, credential.scopes) });
}

/** The proven caller of the request; every controller sits behind the guard that sets it. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => provenOf(context).principal);

/** What the caller proved it with; for answers that last longer than one question. */
export const CallerCredential = createParamDecorator((_data: unknown, context: ExecutionContext): Credential => provenOf(context).credential);

/** Refuses a caller without the scope. */
export function requireScope(principal: Principal, scope: string): void {
  if (hasScope(principal.scopes, scope)) return;
  throw plexusError('MISSING_SCOPE', { message: `missing scope: ${scope}`, details: { missingScope: scope, requiredScopes: [scope] } });
}

/** Whoever the guard has proved. */
export function callerOf(request: FastifyRequest): Principal {
  return provenBy(request).principal;
}

function provenOf(context: ExecutionContext): Proven {
  return provenBy(context.switchToHttp().getRequest<FastifyRequest>());
}

function provenBy(request: FastifyRequest): Proven {
  const proven = CALLERS.get(request.raw);
  if (proven === undefined) throw plexusError('UNAUTHENTICATED');
  return proven;
}
