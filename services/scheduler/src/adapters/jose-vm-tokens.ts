import { createHash } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { ulid } from '@plexus/kernel';
import { z } from 'zod';
import type { VmClaims, VmTokens } from '../application/admission.js';

const AUDIENCE = 'plexus-vm';

const Claims = z.object({
  vm_id: z.string().min(1),
  epoch: z.number().int().min(1),
  tenant: z.string().min(1),
  user_id: z.string().min(1),
  org_id: z.string(),
});

/** VM tokens as JWTs (HS256). The key id is derived from the secret, so that a new secret can take over while tokens of the previous one live. */
export class JoseVmTokens implements VmTokens {
  private readonly keys: ReadonlyMap<string, Uint8Array>;
  private readonly currentId: string;

  constructor(secret: string, previous?: string) {
    this.currentId = keyIdOf(secret);
    const secrets = previous === undefined ? [secret] : [secret, previous];
    this.keys = new Map(secrets.map((value) => [keyIdOf(value), new TextEncoder().encode(value)]));
  }

  mint(claims: VmClaims, ttlMs: number): Promise<string> {
    const { vmId, epoch, tenant, userId, orgId } = claims;
    return new SignJWT({ vm_id: vmId, epoch, tenant, user_id: userId, org_id: orgId })
      .setProtectedHeader({ alg: 'HS256', kid: this.currentId })
      .setAudience(AUDIENCE)
      .setJti(ulid())
      .setIssuedAt()
      .setExpirationTime(new Date(Date.now() + ttlMs))
      .sign(this.keys.get(this.currentId) as Uint8Array);
  }

  async verify(token: string): Promise<VmClaims | undefined> {
    try {
      const key = this.keys.get(decodeProtectedHeader(token).kid ?? '');
      if (key === undefined) return undefined;
      const { payload } = await jwtVerify(token, key, { audience: AUDIENCE, algorithms: ['HS256'], requiredClaims: ['exp', 'jti'] });
      const claims = Claims.safeParse(payload);
      if (!claims.success) return undefined;
      const { vm_id: vmId, epoch, tenant, user_id: userId, org_id: orgId } = claims.data;
      return { vmId, epoch, tenant, userId, orgId };
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined; // not a token of ours, or no token at all
      throw error;
    }
  }
}

function keyIdOf(secret: string): string {
  return createHash('sha256').update(`plexus-vm-token-kid:${secret}`).digest('hex').slice(0, 16);
}
