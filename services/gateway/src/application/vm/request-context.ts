import { errors, type InputOf, type Principal, type ResponseOf, type RpcContract, SCOPES } from '@plexus/contracts';
import type { VmFrameOf } from '@plexus/vm-protocol';
import type { z } from 'zod';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { persist } from '../persist.js';
import type { VmIdentity, VmServices } from './vm-ports.js';

/** One request of one VM, with what its answer needs. */
export interface RequestContext {
  readonly identity: VmIdentity;
  readonly services: VmServices;
  readonly sessions: VmSessions;
  readonly request: VmFrameOf<'request'>;
  /** Aborts when nobody waits any longer. */
  readonly signal: AbortSignal;
}

/** Answers one method. */
export type Method = (params: unknown, context: RequestContext) => Promise<unknown>;

/** The owner of the session that asks; of the VM when the session is not known. */
export function ownerOf({ sessions, request, identity }: RequestContext): string {
  return sessions.get(request.session_id)?.owner ?? identity.owner;
}

export function vmPrincipal(context: RequestContext): Principal {
  const { tenant, vmId, epoch } = context.identity;
  return { tenant, user: ownerOf(context), role: 'vm', scopes: [SCOPES.read, SCOPES.write], credentialId: `${vmId}:${epoch}` };
}

/** Asks the owner of the answer as the VM, patiently: only for what may be repeated. */
export function ask<C extends RpcContract>(context: RequestContext, rpc: C, data: InputOf<C>): Promise<ResponseOf<C>> {
  return persist(() => callAs(vmPrincipal(context), context, rpc, data), context.signal);
}

export function callAs<C extends RpcContract>(principal: Principal, context: RequestContext, rpc: C, data: InputOf<C>): Promise<ResponseOf<C>> {
  return context.services.mesh.call(rpc, context.identity.tenant, data, { principal, signal: context.signal });
}

export function read<T extends z.ZodType>(schema: T, params: unknown): z.output<T> {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message }));
  throw errors.create('INVALID_REQUEST', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues } });
}
