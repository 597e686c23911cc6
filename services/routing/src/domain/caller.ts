import { hasScope, type Principal, plexusError, SCOPES } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';

/** Whose sessions a call is about: always the user of the verified credential, never a name from a body. */
export interface Owner {
  readonly tenant: string;
  readonly owner: string;
}

/** Throws FORBIDDEN for a VM and for a credential that names no user. */
export function ownerOf(tenant: string, principal: Principal): Owner {
  if (principal.role === 'vm') throw plexusError('FORBIDDEN', { message: 'VMs have no access to sessions; they speak through their own endpoint.' });
  const { user } = principal;
  if (user === undefined) throw plexusError('FORBIDDEN', { message: 'Sessions belong to a user, and the credential names none.' });
  if (!isStorableText(user)) throw plexusError('INVALID_REQUEST', { message: 'The user id must be well-formed Unicode without U+0000.' });
  return { tenant, owner: user };
}

/** Services of the mesh act for the user they name; everybody else needs the scope. Throws MISSING_SCOPE. */
export function requireScope(principal: Principal, scope: string): void {
  if (principal.role === 'service' && scope !== SCOPES.admin) return;
  if (!hasScope(principal.scopes, scope)) throw plexusError('MISSING_SCOPE', { details: { scope } });
}
