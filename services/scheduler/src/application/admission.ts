import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { plexusError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { AdmissionStore, Bootstrap, IncarnationKey } from './ports.js';

/** Claims of a VM token. */
export interface VmClaims extends IncarnationKey {
  readonly tenant: string;
  readonly userId: string;
  readonly orgId: string;
}

/** Signs and checks VM tokens. */
export interface VmTokens {
  mint(claims: VmClaims): Promise<string>;
  /** Undefined for whatever is not a valid token of ours: forged, expired, for somebody else. */
  verify(token: string): Promise<VmClaims | undefined>;
}

const SECRET_BYTES = 32;

/** Who may open the socket of a VM: secrets for a new incarnation, and their verification. */
export class Admission {
  constructor(
    private readonly store: AdmissionStore,
    private readonly tokens: VmTokens,
    private readonly options: {
      /** Until when a first connection may come: provisioning and booting together. */
      readonly ticketTtlMs: number;
      /** Key material for bootstrap secrets. */
      readonly rootSecret: string;
      readonly modelApiKey: string | undefined;
    },
  ) {}

  /** Fresh secrets for an incarnation that is about to be started; those of an earlier try become worthless. Undefined: this replica may not start it any more. */
  async issue(key: IncarnationKey): Promise<Bootstrap | undefined> {
    const owner = await this.store.owner(key.vmId);
    if (owner === undefined) return undefined;
    const ticket = randomBytes(SECRET_BYTES).toString('base64url');
    if (!(await this.store.issueTicket(key, hashOf(ticket), this.options.ticketTtlMs))) return undefined;
    return {
      ticket,
      token: await this.tokens.mint({ ...key, tenant: owner.tenant, userId: owner.subject, orgId: owner.tenant }),
      bootstrapSecret: this.bootstrapSecret(key),
      ...(this.options.modelApiKey === undefined ? {} : { modelApiKey: this.options.modelApiKey }),
    };
  }

  /** Key material that an incarnation and this service share. Derived, so that it is stored nowhere. */
  private bootstrapSecret(key: IncarnationKey): string {
    const info = `plexus/vm/bootstrap/v1:${key.vmId}:${key.epoch}`;
    return Buffer.from(hkdfSync('sha256', this.options.rootSecret, 'plexus', info, SECRET_BYTES)).toString('base64url');
  }

  /** Consumes a ticket. Rejects with TICKET_INVALID, whatever is wrong with it. */
  async redeem(ticket: string, tenant: string | undefined, userId: string, clientNonce: string | undefined): Promise<IncarnationKey> {
    if (!isStorableText(userId) || !isStorableText(clientNonce ?? '')) throw plexusError('TICKET_INVALID');
    const redeemed = await this.store.redeem(hashOf(ticket), tenant, userId, clientNonce);
    if (redeemed === undefined) throw plexusError('TICKET_INVALID');
    return { vmId: redeemed.vmId, epoch: redeemed.epoch };
  }

  /** Rejects with UNAUTHENTICATED when the token is not good for this user, with VM_FENCED when its incarnation is not the current one. */
  async verify(token: string, tenant: string | undefined, userId: string): Promise<VmClaims> {
    const claims = await this.tokens.verify(token);
    if (claims === undefined || claims.userId !== userId || (tenant !== undefined && claims.tenant !== tenant)) throw plexusError('UNAUTHENTICATED');
    const current = await this.store.current(claims);
    if (current === undefined || current.owner.tenant !== claims.tenant || current.owner.subject !== claims.userId) throw plexusError('UNAUTHENTICATED');
    if (!current.live) throw plexusError('VM_FENCED', { details: { currentEpoch: current.currentEpoch } });
    return claims;
  }
}

function hashOf(ticket: string): Uint8Array {
  return createHash('sha256').update(ticket).digest();
}
