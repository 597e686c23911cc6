import type { RpcContext } from '@plexus/bus';
import { errors, hasScope, SCOPES } from '@plexus/contracts';
import type { Caller } from '../../domain/access.js';

/**
 * Who calls, from the verified token and the subject; nothing of it ever comes from a body. Services of the mesh act for the user they
 * name; everybody else needs `scope` (MISSING_SCOPE).
 */
export function callerOf({ tenant, principal }: RpcContext, scope: string): Caller {
  if (principal.role !== 'service' && !hasScope(principal.scopes, scope)) throw errors.create('MISSING_SCOPE', { details: { scope } });
  return {
    tenant,
    ...(principal.user === undefined ? {} : { user: principal.user }),
    privileged: principal.role === 'service' || hasScope(principal.scopes, SCOPES.admin),
    credential: principal.credentialId,
  };
}
