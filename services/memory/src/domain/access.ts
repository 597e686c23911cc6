import type { memoryContracts } from '@plexus/contracts';
import type { z } from 'zod';

export type Scope = z.infer<typeof memoryContracts.MemoryScope>;

/** Who asks, from the verified token or from a trusted command. */
export interface Caller {
  readonly tenant: string;
  readonly user?: string;
  /** `operator.admin` of the tenant, or a service of the mesh: may act for every user of its tenant. */
  readonly privileged: boolean;
  /** Credential, for the source that is kept with each memory. */
  readonly credential: string;
}

/**
 * Where a memory lives. Session keys are unique per owner only (two users may both have `agent:main:main`), so what belongs to a
 * session also belongs to its owner; everywhere else `owner` is empty.
 */
export interface Place extends Scope {
  readonly owner: string;
}

/** A place to look into; without `owner` it is looked into whoever owns it. */
export interface Visible extends Scope {
  readonly owner?: string;
}

export type Refusal = 'no-user' | 'not-yours';

/** The scope that is meant when none is named. */
export function ownScope(caller: Caller): Scope | 'no-user' {
  return caller.user === undefined ? 'no-user' : { kind: 'user', id: caller.user };
}

/** Where a caller may write for a scope. */
export function placeFor(caller: Caller, scope: Scope): Place | Refusal {
  if (scope.kind === 'user' && !mayActFor(caller, scope.id)) return 'not-yours';
  if (scope.kind !== 'session') return { ...scope, owner: '' };
  return caller.user === undefined ? 'no-user' : { ...scope, owner: caller.user };
}

/** What a caller sees of a scope. */
export function viewOf(caller: Caller, scope: Scope): Visible | Refusal {
  if (scope.kind === 'user' && !mayActFor(caller, scope.id)) return 'not-yours';
  if (scope.kind !== 'session' || caller.privileged) return { kind: scope.kind, id: scope.id };
  return caller.user === undefined ? 'no-user' : { kind: scope.kind, id: scope.id, owner: caller.user };
}

/** Whether a caller sees one memory that was found by its id. */
export function maySee(caller: Caller, place: Place): boolean {
  const view = viewOf(caller, place);
  return typeof view !== 'string' && (view.owner === undefined || view.owner === place.owner);
}

/** What is the tenant's or an agent's may be read by all of the tenant, and be deleted by who wrote it or by somebody privileged. */
export function mayDelete(caller: Caller, place: Place, author: string | undefined): boolean {
  if (!maySee(caller, place)) return false;
  if (caller.privileged || place.kind === 'user' || place.kind === 'session') return true;
  return caller.user !== undefined && author === caller.user;
}

function mayActFor(caller: Caller, user: string): boolean {
  return caller.privileged || caller.user === user;
}
