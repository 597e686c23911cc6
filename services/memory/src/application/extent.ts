import { errors } from '@plexus/contracts';
import type { Caller, Scope } from '../domain/access.js';
import type { Extent } from './archive-ports.js';
import { requireViews } from './require-scope.js';

export interface Whose {
  readonly user?: string;
  readonly scope?: Scope;
}

/** What a caller may read as a whole: themselves, what they may look into, and, when privileged, everybody of the tenant. */
export function requireReadable(caller: Caller, whose: Whose): Extent {
  const { user, scope } = oneOf(caller, whose);
  if (scope !== undefined) {
    const [view] = requireViews(caller, [scope]);
    return { scope: view ?? scope };
  }
  return { user: requireActing(caller, user) };
}

/** What a caller may remove as a whole: as {@link requireReadable}, but what others read, too, only somebody privileged removes. */
export function requireRemovable(caller: Caller, whose: Whose): Extent {
  const extent = requireReadable(caller, whose);
  if ('scope' in extent && (extent.scope.kind === 'agent' || extent.scope.kind === 'shared') && !caller.privileged) {
    throw errors.create('FORBIDDEN', { message: 'Only an administrator may remove everything of a scope that others use.' });
  }
  return extent;
}

function oneOf(caller: Caller, { user, scope }: Whose): { readonly user: string; readonly scope?: Scope } {
  if (user !== undefined && scope !== undefined) throw errors.create('INVALID_REQUEST', { message: 'Name a user or a scope, not both.' });
  if (scope !== undefined) return { user: '', scope };
  const own = user ?? caller.user;
  if (own === undefined) throw errors.create('INVALID_REQUEST', { message: 'The credential names no user, so a user or a scope must be given.' });
  return { user: own };
}

function requireActing(caller: Caller, user: string): string {
  if (caller.privileged || caller.user === user) return user;
  throw errors.create('FORBIDDEN', { message: 'Only an administrator may do this for another user.' });
}
