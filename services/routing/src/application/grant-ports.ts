import type { routingContracts } from '@plexus/contracts';
import type { StoredSession } from './ports.js';

/** What another user of the tenant may do with a session. */
export interface SessionGrant {
  readonly grantee: string;
  readonly access: routingContracts.GrantAccess;
  readonly grantedBy: string;
  readonly grantedAt: Date;
}

export interface GrantStatements {
  /** Gives or changes a grant. */
  put(session: StoredSession, grant: Omit<SessionGrant, 'grantedAt'>): Promise<SessionGrant>;
  remove(session: StoredSession, grantee: string): Promise<boolean>;
  list(session: StoredSession): Promise<SessionGrant[]>;
}
