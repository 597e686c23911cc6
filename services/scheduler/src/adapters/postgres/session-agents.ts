import type { Database } from '@plexus/database';
import type { SessionAgents } from '../../tokens.js';

/** Looks up which agent a session that a VM has had belongs to. */
export function sessionAgents(database: Database): SessionAgents {
  return async (tenant, sessionId) => {
    const [row] = await database.query<{ agent_id: string; owner: string; vm_id: string }>(
      'session_agent',
      'SELECT agent_id, owner, vm_id FROM vm_sessions WHERE tenant_id = $1 AND session_id = $2',
      [tenant, sessionId],
    );
    return row && { agentId: row.agent_id, owner: row.owner, vmId: row.vm_id };
  };
}
