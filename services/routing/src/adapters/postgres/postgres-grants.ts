import type { Tx } from '@plexus/database';
import type { GrantedSession, GrantStatements, SessionGrant } from '../../application/grant-ports.js';

export interface GrantRow {
  grantee: string;
  access: SessionGrant['access'];
  granted_by: string;
  granted_at: Date;
}

const COLUMNS = 'grantee, access, granted_by, granted_at';

const PUT = `
  INSERT INTO session_grants (session_ref, tenant, grantee, access, granted_by) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (session_ref, grantee) DO UPDATE SET access = EXCLUDED.access, granted_by = EXCLUDED.granted_by, granted_at = now()
  RETURNING ${COLUMNS}`;

export class PostgresGrants implements GrantStatements {
  constructor(private readonly tx: Tx) {}

  async put(session: GrantedSession, { grantee, access, grantedBy }: Omit<SessionGrant, 'grantedAt'>): Promise<SessionGrant> {
    const rows = await this.tx.query<GrantRow>('routing_put_grant', PUT, [session.ref, session.tenant, grantee, access, grantedBy]);
    return toGrant(rows[0] as GrantRow);
  }

  async remove(session: GrantedSession, grantee: string): Promise<boolean> {
    const text = 'DELETE FROM session_grants WHERE session_ref = $1 AND grantee = $2 RETURNING grantee';
    return (await this.tx.query('routing_remove_grant', text, [session.ref, grantee])).length === 1;
  }

  async list(session: GrantedSession): Promise<SessionGrant[]> {
    const text = `SELECT ${COLUMNS} FROM session_grants WHERE session_ref = $1 ORDER BY grantee`;
    return (await this.tx.query<GrantRow>('routing_list_grants', text, [session.ref])).map(toGrant);
  }
}

export function toGrant(row: GrantRow): SessionGrant {
  return { grantee: row.grantee, access: row.access, grantedBy: row.granted_by, grantedAt: row.granted_at };
}
