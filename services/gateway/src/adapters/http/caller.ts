import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { hasScope, plexusError, type Principal } from '@plexus/contracts';
import type { FastifyRequest } from 'fastify';

const PRINCIPALS = new WeakMap<object, Principal>();

/** Notes who sent a request, once that is proven. */
export function rememberCaller(request: FastifyRequest, principal: Principal): void {
  PRINCIPALS.set(request.raw, principal);
}

/** The proven caller of the request; every controller sits behind the guard that sets it. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const principal = PRINCIPALS.get(context.switchToHttp().getRequest<FastifyRequest>().raw);
  if (principal === undefined) throw plexusError('UNAUTHENTICATED');
  return principal;
});

/** Refuses a caller without the scope. */
export function requireScope(principal: Principal, scope: string): void {
  if (hasScope(principal.scopes, scope)) return;
  throw plexusError('MISSING_SCOPE', { message: `missing scope: ${scope}`, details: { missingScope: scope, requiredScopes: [scope] } });
}
