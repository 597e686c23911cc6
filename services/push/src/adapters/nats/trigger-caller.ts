import type { RpcContext } from '@plexus/bus';
import { errors, hasScope, SCOPES } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { ScheduleCaller } from '../../application/triggers/manage-schedules.js';
import type { ToolCaller } from '../../application/triggers/agent-tools.js';

/**
 * Who manages schedules: people with `scope` their own, operators (`operator.admin`) and services everybody's. A VM manages none: what its
 * agent wants at fixed times is for its user to decide.
 */
export function scheduleCaller(context: RpcContext, scope: string): ScheduleCaller {
  if (context.principal.role === 'vm') throw errors.create('FORBIDDEN', { message: 'VMs have no schedules.' });
  const { tenant, user, forOthers } = callerOf(context, scope);
  return { tenant, all: forOthers, ...(user === undefined ? {} : { user }) };
}

/** Who uses the tools: VMs for their owner, people for themselves, operators and services for anybody. What a VM says outside any run counts for the VM. */
export function toolCaller(context: RpcContext, scope: string): ToolCaller {
  const { role, credentialId } = context.principal;
  return { ...callerOf(context, scope), ...(role === 'vm' ? { agent: `vm:${credentialId}`.slice(0, 256) } : {}) };
}

/** Dispatch rules see every event of the tenant, whoever may see its case: operators only. */
export function requireOperator({ principal }: RpcContext): void {
  if (principal.role === 'vm') throw errors.create('FORBIDDEN', { message: 'VMs make no rules.' });
  if (principal.role !== 'service' && !hasScope(principal.scopes, SCOPES.admin)) throw errors.create('MISSING_SCOPE', { details: { scope: SCOPES.admin } });
}

function callerOf({ tenant, principal }: RpcContext, scope: string): ToolCaller {
  const { user, role, scopes } = principal;
  if (role !== 'service' && !hasScope(scopes, scope)) throw errors.create('MISSING_SCOPE', { details: { scope } });
  if (user !== undefined && !isStorableText(user))
    throw errors.create('INVALID_REQUEST', { message: 'The user id must be well-formed Unicode without U+0000.' });
  const forOthers = role === 'service' || (role !== 'vm' && hasScope(scopes, SCOPES.admin));
  return { tenant, forOthers, ...(user === undefined ? {} : { user }) };
}

/** A name from a body that becomes a key. */
export function requireStorable(field: string, text: string | undefined): void {
  if (text !== undefined && !isStorableText(text)) {
    throw errors.create('INVALID_REQUEST', { message: `${field}: must be well-formed Unicode without U+0000`, details: { issues: [{ path: `/${field}` }] } });
  }
}
