import { z } from 'zod';
import { isTenantId } from './subject.js';

/** A tenant id: `[a-z0-9][a-z0-9_-]{0,63}`. */
export const TenantId = z.string().refine(isTenantId, { error: 'must be [a-z0-9][a-z0-9_-]{0,63}' });

export const PrincipalRole = z.enum(['user', 'operator', 'service', 'vm']);
export type PrincipalRole = z.infer<typeof PrincipalRole>;

/**
 * Who is calling. It travels as a short-lived signed token in the header `Plexus-Auth` and is checked once, on arrival;
 * no handler reads identity from a body.
 */
export const Principal = z.object({
  tenant: TenantId.or(z.literal('_')),
  user: z.string().min(1).max(256).optional().describe('Opaque, unique in its tenant: the `sub` of a verified token.'),
  role: PrincipalRole,
  scopes: z.array(z.string().max(128)).max(64),
  source: z.string().max(128).optional().describe('Source token of an integrator or channel adapter.'),
  credentialId: z.string().max(128).describe('Which credential proved it; revocation names this.'),
});
export type Principal = z.infer<typeof Principal>;

/** Scopes of people and clients. `operator.admin` contains all others, `operator.write` contains `operator.read`. */
export const SCOPES = {
  read: 'operator.read',
  write: 'operator.write',
  admin: 'operator.admin',
  approvals: 'operator.approvals',
  pairing: 'operator.pairing',
} as const;

/** True when `granted` covers `wanted` (admin ⊇ all, write ⊇ read). */
export function hasScope(granted: readonly string[], wanted: string): boolean {
  if (granted.includes(wanted) || granted.includes(SCOPES.admin)) return true;
  return wanted === SCOPES.read && granted.includes(SCOPES.write);
}
