import type { routingContracts } from '@plexus/contracts';

/** A session as far as its grants need to know it. */
export interface GrantedSession {
  readonly ref: number;
  readonly tenant: string;
}

/** What another user of the tenant may do with a session. */
export interface SessionGrant {
  readonly grantee: string;
  readonly access: routingContracts.GrantAccess;
  readonly grantedBy: string;
  readonly grantedAt: Date;
}

export interface GrantStatements {
  /** Gives or changes a grant. */
  put(session: GrantedSession, grant: Omit<SessionGrant, 'grantedAt'>): Promise<SessionGrant>;
  remove(session: GrantedSession, grantee: string): Promise<boolean>;
  list(session: GrantedSession): Promise<SessionGrant[]>;
}
