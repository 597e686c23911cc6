import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { plexusError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { AdmissionStore, Bootstrap, IncarnationKey, OwnerKey, WireKey } from './ports.js';
import type { ProviderSecrets } from './provider-secrets.js';

/** Claims of a VM token. */
export interface VmClaims extends IncarnationKey {
  readonly tenant: string;
  readonly userId: string;
  readonly orgId: string;
}

/** Signs and checks VM tokens. */
export interface VmTokens {
  /** `ttlMs`: how long it is good, unless its incarnation ends before. */
  mint(claims: VmClaims, ttlMs: number): Promise<string>;
  /** Undefined for whatever is not a valid token of ours: forged, expired, for somebody else. */
  verify(token: string): Promise<VmClaims | undefined>;
}

const SECRET_BYTES = 32;
/** The provider key that our runtime is handed at its start. */
export const MODEL_SECRET = 'model';
/** User of a VM that waits in a pool. */
export const WARM_USER = '_warm';

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
      /** Keys of users; one named {@link MODEL_SECRET} takes the place of the platform's in their own VMs. */
      readonly secrets?: Pick<ProviderSecrets, 'get'> | undefined;
      /** Tokens of runtimes that renew them. */
      readonly tokenTtlMs: number;
    },
  ) {}

  /** Fresh secrets for an incarnation that is about to be started; those of an earlier try become worthless. Undefined: this replica may not start it any more. */
  async issue(key: IncarnationKey): Promise<Bootstrap | undefined> {
    const owner = await this.store.owner(key.vmId);
    if (owner === undefined) return undefined;
    const isPersonal = owner.subject !== '*' && owner.subject !== WARM_USER;
    const own = isPersonal ? await this.options.secrets?.get(owner.tenant, owner.subject, MODEL_SECRET) : undefined;
    const modelApiKey = own ?? this.options.modelApiKey;
    const ticket = randomBytes(SECRET_BYTES).toString('base64url');
    if (!(await this.store.issueTicket(key, hashOf(ticket), this.options.ticketTtlMs))) return undefined;
    return {
      ticket,
      token: await this.token(key, owner),
      bootstrapSecret: this.bootstrapSecret(key),
      ...(modelApiKey === undefined ? {} : { modelApiKey }),
    };
  }

  /** A token for an incarnation of this owner. */
  token(key: IncarnationKey, owner: OwnerKey): Promise<string> {
    return this.tokens.mint({ vmId: key.vmId, epoch: key.epoch, tenant: owner.tenant, userId: owner.subject, orgId: owner.tenant }, this.options.tokenTtlMs);
  }

  /** How often a runtime that renews its token should: two answers may be lost. */
  get refreshAfterMs(): number {
    return Math.floor(this.options.tokenTtlMs / 3);
  }

  /** A new token for whoever holds the socket. Rejects with VM_FENCED when that is, or has become, somebody else. */
  async refresh(key: WireKey, connGen: number): Promise<{ readonly token: string; readonly refreshAfterMs: number }> {
    const owner = await this.store.holder(key, connGen);
    if (owner === undefined) throw plexusError('VM_FENCED');
    return { token: await this.token(key, owner), refreshAfterMs: this.refreshAfterMs };
  }

  /** Key material that an incarnation and this service share. Derived, so that it is stored nowhere. */
  private bootstrapSecret(key: IncarnationKey): string {
    return bootstrapSecretOf(this.options.rootSecret, key);
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
    if (claims === undefined || (tenant !== undefined && claims.tenant !== tenant)) throw plexusError('UNAUTHENTICATED');
    const current = await this.store.current(claims);
    if (current === undefined || current.owner.tenant !== claims.tenant) throw plexusError('UNAUTHENTICATED');
    // A VM that came from a pool says who it was until it has read whose it is; its token may have been renewed before that.
    const { wasWarm, owner } = current;
    const isOwner = (name: string): boolean => name === owner.subject || (wasWarm && name === WARM_USER);
    const isItself = claims.userId === userId || (wasWarm && userId === WARM_USER);
    if (!isOwner(claims.userId) || !isItself) throw plexusError('UNAUTHENTICATED');
    if (!current.live) throw plexusError('VM_FENCED', { details: { currentEpoch: current.currentEpoch } });
    return { ...claims, userId: current.owner.subject, orgId: current.owner.tenant };
  }
}

/** Key material that an incarnation and the scheduler share, derived from a root secret. */
export function bootstrapSecretOf(rootSecret: string, { vmId, epoch }: IncarnationKey): string {
  const info = `plexus/vm/bootstrap/v1:${vmId}:${epoch}`;
  return Buffer.from(hkdfSync('sha256', rootSecret, 'plexus', info, SECRET_BYTES)).toString('base64url');
}

function hashOf(ticket: string): Uint8Array {
  return createHash('sha256').update(ticket).digest();
}
