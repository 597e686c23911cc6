import type { RpcContext } from '@plexus/bus';
import { errors, hasScope, SCOPES } from '@plexus/contracts';
import { invalid, userIssues } from '../../application/managing/invalid.js';
import type { Owner } from '../../application/ports.js';

/**
 * Whose subscriptions and inbox a call is about: the user of the verified token, never one named in a body. Services of the mesh act
 * for the user they name; everybody else needs `scope` (MISSING_SCOPE). A VM has no inbox (FORBIDDEN): its agents are told by their user.
 */
export function ownerOf(context: RpcContext, scope: string): Owner {
  const { tenant, principal } = context;
  const { user } = principal;
  requireRight(context, scope);
  if (user === undefined) throw errors.create('FORBIDDEN', { message: 'This is about a user, and the credential names none.' });
  // A follower whose deliveries have no subject would make every event that concerns him fail, for the other followers as well.
  const issues = userIssues(tenant, user, 'user of the credential');
  if (issues.length > 0) throw invalid(...issues);
  return { tenant, user };
}

/** Who calls for the whole tenant: a service of the mesh, or somebody with operator.admin. */
export interface Administrator {
  readonly tenant: string;
  /** How it is noted who did something. */
  readonly name: string;
}

export function administratorOf(context: RpcContext): Administrator {
  requireRight(context, SCOPES.admin);
  return { tenant: context.tenant, name: nameOf(context) };
}

/** True when the caller may act for the whole tenant. */
export function isAdministrator({ principal }: RpcContext): boolean {
  return principal.role === 'service' || (principal.role !== 'vm' && hasScope(principal.scopes, SCOPES.admin));
}

/** Anybody of the tenant who may read; not a VM. */
export function readerOf(context: RpcContext): { readonly tenant: string } {
  requireRight(context, SCOPES.read);
  return { tenant: context.tenant };
}

/** The caller's user, or which service or credential it was. */
export function nameOf({ principal: { user, role, source, credentialId } }: RpcContext): string {
  return user ?? `${role}:${source ?? credentialId}`;
}

/** Refuses everybody but services of the mesh. */
export function requireService({ principal }: RpcContext): void {
  if (principal.role !== 'service') throw errors.create('FORBIDDEN', { message: 'Only services of the mesh may ask this.' });
}

function requireRight({ principal: { role, scopes } }: RpcContext, scope: string): void {
  if (role === 'vm') throw errors.create('FORBIDDEN', { message: 'VMs have no access to inboxes.' });
  if (role !== 'service' && !hasScope(scopes, scope)) throw errors.create('MISSING_SCOPE', { details: { scope } });
}
