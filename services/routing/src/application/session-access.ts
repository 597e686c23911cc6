import { hasScope, type Principal, plexusError, SCOPES } from '@plexus/contracts';
import { type Owner, ownerOf } from '../domain/caller.js';
import { mayReach } from '../domain/session-visibility.js';
import { storedKey } from '../domain/session-address.js';
import type { RoutingStore, StoredSession } from './ports.js';
import type { TenantSnapshot } from './tenant-settings.js';

/** How a caller names a session that may be somebody else's. */
export interface ReachedSession {
  readonly sessionKey: string;
  readonly owner?: string | undefined;
  readonly actingSessionKey?: string | undefined;
}

export type Access = 'owner' | 'read' | 'write' | 'none';

/** Who may see whose sessions: the owner, whoever holds a grant, and administrators of the tenant. */
export class SessionAccess {
  constructor(private readonly store: Pick<RoutingStore, 'findSession' | 'findGrant'>) {}

  /**
   * Whose session a call is about, once it is certain that the caller may `need` it. Rejects with SESSION_NOT_FOUND for sessions of others that are not
   * shared (they look like none), with FORBIDDEN for a grant that is too small and for an agent that reaches beyond what is configured.
   */
  async ownerFor(snapshot: TenantSnapshot, tenant: string, principal: Principal, wanted: ReachedSession, need: 'read' | 'write'): Promise<Owner> {
    const caller = ownerOf(tenant, principal);
    requireReach(snapshot, wanted);
    const { access, owner } = await this.accessOf(snapshot, tenant, principal, wanted);
    if (access === 'owner' || access === 'write' || access === need) return { tenant, owner };
    if (access === 'read') throw plexusError('FORBIDDEN', { message: 'This session is shared for reading only.', details: { sessionKey: wanted.sessionKey } });
    throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey: wanted.sessionKey, caller: caller.owner } });
  }

  /** What the caller may do with a session; its own one need not exist. */
  async accessOf(
    { config }: TenantSnapshot,
    tenant: string,
    principal: Principal,
    wanted: ReachedSession,
  ): Promise<{ access: Access; owner: string; sessionKey: string; session?: StoredSession | undefined }> {
    const caller = ownerOf(tenant, principal);
    const sessionKey = storedKey(config, wanted);
    const owner = wanted.owner ?? caller.owner;
    if (owner === caller.owner) return { access: 'owner', owner, sessionKey };
    const session = await this.store.findSession({ tenant, owner }, sessionKey);
    if (!session) return { access: 'none', owner, sessionKey };
    if (principal.role !== 'service' && hasScope(principal.scopes, SCOPES.admin)) return { access: 'write', owner, sessionKey, session };
    const grant = await this.store.findGrant(session, caller.owner);
    return { access: grant?.access ?? 'none', owner, sessionKey, session };
  }
}

/** An agent reaches other sessions only as its configuration says. Throws FORBIDDEN. */
function requireReach({ config }: TenantSnapshot, { sessionKey, actingSessionKey }: ReachedSession): void {
  if (actingSessionKey === undefined) return;
  const { sessions, agentToAgent } = config.tools ?? {};
  const reach = {
    visibility: sessions?.visibility ?? ('tree' as const),
    agentToAgent: { enabled: agentToAgent?.enabled ?? false, allow: agentToAgent?.allow ?? [] },
  };
  const verdict = mayReach(reach, storedKey(config, { sessionKey: actingSessionKey }), storedKey(config, { sessionKey }));
  if (!verdict.allowed) throw plexusError('FORBIDDEN', { message: verdict.reason, details: { sessionKey, actingSessionKey } });
}
