import { z } from 'zod';
import { PublicJwk } from './public-jwk.js';
import { TokenIssuer } from './token-issuer.js';
import { ALWAYS, fieldOf, uniqueBy } from './unique.js';

const TENANT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** A long-lived bearer token of a tenant, by reference: the digest of the token, never the token. */
export const TokenReference = z.strictObject({
  id: z.string().min(1).max(128).describe('Becomes the credential id of its principals; a revocation names it.'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 digest in lower-case hex' })
    .describe('SHA-256 of the token.'),
  user: z.string().min(1).max(256).optional().describe('Who its bearer is; absent for an integrator.'),
  role: z.enum(['user', 'operator']).default('user'),
  scopes: z.array(z.string().min(1).max(128)).max(64).default([]),
  source: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'must be [a-z0-9][a-z0-9_-]{0,63}' })
    .optional()
    .describe('Source token under which its bearer publishes events.'),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});
export type TokenReference = z.infer<typeof TokenReference>;

/** Ceilings of one tenant; an absent one means the default of the service that enforces it. */
export const TenantLimits = z.strictObject({
  connectionsPerUser: z.number().int().min(1).max(10_000).optional().describe('Open client connections of one user, cluster-wide.'),
  requestsPerMinute: z.number().int().min(1).max(1_000_000).optional().describe('Requests of one user on one gateway.'),
  vms: z.number().int().min(0).max(100_000).optional().describe('VMs that may exist at once.'),
});
export type TenantLimits = z.infer<typeof TenantLimits>;

/** How the platform knows one tenant: who may speak for it, and how much. */
export const TenantDeclaration = z.strictObject({
  defaultOwner: z.string().min(1).max(256).optional().describe('Whose sessions those of channels are, unless the agent names an owner.'),
  tokens: z.array(TokenReference).max(1_000).superRefine(uniqueBy('id', 'duplicate_token'), ALWAYS).default([]),
  keys: z.array(PublicJwk).max(100).superRefine(uniqueBy('kid', 'duplicate_key'), ALWAYS).default([]).describe('Public keys that sign tokens of this tenant.'),
  issuers: z.array(TokenIssuer).max(20).optional().describe('Others whose JWTs are taken for users of this tenant: by their JWKS.'),
  limits: TenantLimits.default({}),
});
export type TenantDeclaration = z.infer<typeof TenantDeclaration>;

/** A token names its issuer and audience, not its tenant: two tenants must not be meant by the same. */
function oneTenantPerIssuer(tenants: unknown, context: z.core.$RefinementCtx): void {
  const first = new Map<string, string>();
  for (const [tenant, declared] of Object.entries(typeof tenants === 'object' && tenants !== null ? tenants : {})) {
    const issuers = fieldOf(declared, 'issuers');
    for (const [index, issuer] of (Array.isArray(issuers) ? issuers : []).entries()) {
      const name = JSON.stringify([fieldOf(issuer, 'issuer'), fieldOf(issuer, 'audience')]);
      const known = first.get(name);
      if (known === undefined) first.set(name, tenant);
      else
        context.addIssue({
          code: 'custom',
          params: { code: 'duplicate_issuer' },
          path: [tenant, 'issuers', index, 'issuer'],
          message: `tokens of this issuer for this audience are already those of tenant ${known}`,
        });
    }
  }
}

/** Key `_` of PLEXUS_CONFIG: which tenants exist. A tenant that is not listed here is unknown everywhere. */
export const PlatformConfig = z.strictObject({
  tenants: z
    .record(z.string().regex(TENANT_ID, { error: 'a tenant id must be [a-z0-9][a-z0-9_-]{0,63}' }), TenantDeclaration)
    .superRefine(oneTenantPerIssuer, ALWAYS)
    .default({}),
});
export type PlatformConfig = z.infer<typeof PlatformConfig>;
/** The document as people write it, before defaults. */
export type PlatformConfigInput = z.input<typeof PlatformConfig>;
