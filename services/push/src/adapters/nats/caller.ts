import type { RpcContext } from '@plexus/bus';
import { errors, pushContracts, SubjectError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { Owner } from '../../application/ports.js';

/** Whose subscriptions and inbox a call is about: the user of the verified token, never one named in a body. */
export function ownerOf({ tenant, principal }: RpcContext): Owner {
  const { user } = principal;
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
