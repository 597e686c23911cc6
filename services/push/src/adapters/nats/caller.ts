import type { RpcContext } from '@plexus/bus';
import { errors, hasScope, pushContracts, SubjectError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { Owner } from '../../application/ports.js';

/**
 * Whose subscriptions and inbox a call is about: the user of the verified token, never one named in a body. Services of the mesh act
 * for the user they name; everybody else needs `scope` (MISSING_SCOPE). A VM has no inbox (FORBIDDEN): its agents are told by their user.
 */
export function ownerOf({ tenant, principal }: RpcContext, scope: string): Owner {
  const { user, role, scopes } = principal;
  if (role === 'vm') throw errors.create('FORBIDDEN', { message: 'VMs have no access to inboxes.' });
  if (role !== 'service' && !hasScope(scopes, scope)) throw errors.create('MISSING_SCOPE', { details: { scope } });
  if (user === undefined) throw errors.create('FORBIDDEN', { message: 'This is about a user, and the credential names none.' });
  if (!isStorableText(user)) throw errors.create('INVALID_REQUEST', { message: 'The user id must be well-formed Unicode without U+0000.' });
  requireAddressable(tenant, user);
  return { tenant, user };
}

/** A follower whose deliveries have no subject would make every event that concerns him fail, for the other followers as well. */
function requireAddressable(tenant: string, user: string): void {
  try {
    pushContracts.delivered.subject(tenant, user);
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw errors.create('INVALID_REQUEST', { message: 'The user id is too long to be a part of a subject.', cause });
  }
}

/** Refuses everybody but services of the mesh. */
export function requireService({ principal }: RpcContext): void {
  if (principal.role !== 'service') throw errors.create('FORBIDDEN', { message: 'Only services of the mesh may ask this.' });
}
