import type { RpcContext } from '@plexus/bus';
import { errors } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { Owner } from '../../application/ports.js';

/** Whose subscriptions and inbox a call is about: the user of the verified token, never one named in a body. */
export function ownerOf({ tenant, principal }: RpcContext): Owner {
  const { user } = principal;
  if (user === undefined) throw errors.create('FORBIDDEN', { message: 'This is about a user, and the credential names none.' });
  if (!isStorableText(user)) throw errors.create('INVALID_REQUEST', { message: 'The user id must be well-formed Unicode without U+0000.' });
  return { tenant, user };
}

/** Refuses everybody but services of the mesh. */
export function requireService({ principal }: RpcContext): void {
  if (principal.role !== 'service') throw errors.create('FORBIDDEN', { message: 'Only services of the mesh may ask this.' });
}
