import { plexusError, type routingContracts } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { SessionGrant } from './grant-ports.js';
import { sessionChanged } from './outgoing.js';
import type { RoutingStore, RoutingTransaction, StoredSession } from './ports.js';

/** People with whom one session may be shared. */
const MAX_GRANTS = 100;

/** Gives, takes back and lists grants; only the owner does. */
export class ShareSessions {
  constructor(
    private readonly store: RoutingStore,
    private readonly newId: () => string,
  ) {}

  /** Rejects with SESSION_NOT_FOUND, QUOTA_EXCEEDED, and INVALID_REQUEST for the owner itself. */
  async share(owner: Owner, sessionKey: string, grantee: string, access: routingContracts.GrantAccess): Promise<SessionGrant> {
    if (grantee === owner.owner) throw plexusError('INVALID_REQUEST', { message: 'A session need not be shared with its owner.', details: { grantee } });
    return this.store.transaction(async (tx) => {
      const session = await requireSession(tx, owner, sessionKey);
      const grants = await tx.grants.list(session);
      if (grants.length >= MAX_GRANTS && !grants.some((grant) => grant.grantee === grantee)) {
        throw plexusError('QUOTA_EXCEEDED', { message: `A session can be shared with ${MAX_GRANTS} people.`, details: { sessionKey } });
      }
      return tx.grants.put(session, { grantee, access, grantedBy: owner.owner });
    });
  }

  /** Whoever watches by the grant is told through the session's own stream. */
  async unshare(owner: Owner, sessionKey: string, grantee: string): Promise<boolean> {
    return this.store.transaction(async (tx) => {
      const session = await requireSession(tx, owner, sessionKey);
      const removed = await tx.grants.remove(session, grantee);
      if (removed) await tx.publish([sessionChanged(session, 'updated', this.newId(), { revokedFrom: grantee })]);
      return removed;
    });
  }

  async list(owner: Owner, sessionKey: string): Promise<SessionGrant[]> {
    return this.store.transaction(async (tx) => tx.grants.list(await requireSession(tx, owner, sessionKey)));
  }
}

async function requireSession(tx: RoutingTransaction, owner: Owner, sessionKey: string): Promise<StoredSession> {
  const session = await tx.lockSession(owner, sessionKey);
  if (!session) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
  return session;
}
