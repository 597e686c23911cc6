import type { RpcContext } from '@plexus/bus';
import { hasScope, NO_TENANT, type Principal, plexusError, SCOPES } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { OwnerKey } from '../../application/ports.js';

/** Whose VM a call is about. The user comes from the verified token, never from a body; `shared` belongs to the tenant. */
export function ownerOf({ tenant, principal }: RpcContext, scope: string, wanted: string): OwnerKey {
  requireTenant(tenant);
  requireScope(principal, wanted);
  if (principal.user === undefined) throw plexusError('FORBIDDEN', { message: 'VMs belong to users, and the credential names none.' });
  if (!isStorableText(principal.user) || !isStorableText(scope))
    throw plexusError('INVALID_REQUEST', { message: 'Names must be well-formed Unicode without U+0000.' });
  return { tenant, subject: scope === 'shared' ? '*' : principal.user, scope };
}

/** Whose VMs a caller may see or end: its own, with `operator.admin` (or as a service without a user) those of the tenant. */
export function visibleTo({ tenant, principal }: RpcContext, wanted: string): { readonly tenant: string; readonly subject: string | undefined } {
  requireTenant(tenant);
  requireScope(principal, wanted);
  const everybody = hasScope(principal.scopes, SCOPES.admin) || (principal.role === 'service' && principal.user === undefined);
  if (!everybody && principal.user === undefined) throw plexusError('FORBIDDEN', { message: 'VMs belong to users, and the credential names none.' });
  return { tenant, subject: everybody ? undefined : principal.user };
}

/** Gateways act as services; the tenant `_` stands for all, because a socket is older than the knowledge of whose it is. */
export function gatewayTenant({ tenant, principal }: RpcContext): string | undefined {
  if (principal.role !== 'service') throw plexusError('FORBIDDEN', { message: 'Only services of the mesh may ask this.' });
  return tenant === NO_TENANT ? undefined : tenant;
}

/** Hosts belong to the platform: services that act for nobody may ask about them, and operators of the platform (tenant `_`); those of a tenant may not. */
export function operatorOf({ principal }: RpcContext): void {
  if (principal.role === 'service' && principal.user === undefined) return;
  if (principal.role !== 'operator' || principal.tenant !== NO_TENANT)
    throw plexusError('FORBIDDEN', { message: 'Hosts belong to the platform, not to a tenant: this takes an operator of the platform.' });
  if (!hasScope(principal.scopes, SCOPES.admin)) throw plexusError('MISSING_SCOPE', { details: { scope: SCOPES.admin } });
}

/** The tenant of a call that is about the tenant as a whole; VMs may ask it too. */
export function tenantOf({ tenant, principal }: RpcContext, wanted: string): string {
  if (tenant === NO_TENANT) throw plexusError('INVALID_REQUEST', { message: 'This belongs to a tenant; name it in the subject.' });
  if (principal.role !== 'service' && !hasScope(principal.scopes, wanted)) throw plexusError('MISSING_SCOPE', { details: { scope: wanted } });
  return tenant;
}

/** Who asks, for the activity list of a VM. */
export function sourceOf({ principal }: RpcContext): string {
  return principal.user === undefined ? principal.role : `${principal.role} ${principal.user}`;
}

/** Services of the mesh act for the user they name; everybody else needs the scope, and a VM may not steer VMs at all. */
function requireScope(principal: Principal, wanted: string): void {
  if (principal.role === 'vm') throw plexusError('FORBIDDEN', { message: 'A VM may not ask for VMs.' });
  if (principal.role !== 'service' && !hasScope(principal.scopes, wanted)) throw plexusError('MISSING_SCOPE', { details: { scope: wanted } });
}

function requireTenant(tenant: string): void {
  if (tenant === NO_TENANT) throw plexusError('INVALID_REQUEST', { message: 'VMs belong to a tenant; name it in the subject.' });
}
