import type { RpcContext } from '@plexus/bus';
import { hasScope, SCOPES } from '@plexus/contracts';
import type { Caller } from '../../domain/access.js';

/** Who calls, from the verified token and the subject; nothing of it ever comes from a body. */
export function callerOf({ tenant, principal }: RpcContext): Caller {
  return {
    tenant,
    ...(principal.user === undefined ? {} : { user: principal.user }),
    privileged: principal.role === 'service' || hasScope(principal.scopes, SCOPES.admin),
    credential: principal.credentialId,
  };
}
