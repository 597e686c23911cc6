import { z } from 'zod';
import { SessionKey, UserId } from './common.js';

/** Fields that several contracts of routing share. */

/** Whose session, and in whose name: both absent where a caller speaks of its own session. */
export const actingFor = {
  owner: UserId.optional().describe('Owner of a session that is shared with the caller; absent: the caller.'),
  actingSessionKey: SessionKey.optional().describe(
    'Session of the agent in whose name a call is made: then only what `tools.sessions.visibility` and the agent-to-agent list allow can be reached.',
  ),
};

/** One party of a conversation: `dm`, `group` or `channel`, and its id. */
export const Peer = z.object({ kind: z.string().max(16), id: z.string().max(256) });

export const RouteQuestion = {
  channel: z.string().max(64),
  accountId: z.string().max(128).optional(),
  peer: Peer.optional(),
  parentPeer: Peer.optional().describe('What the peer is a thread of: its binding is inherited.'),
  guildId: z.string().max(128).optional(),
  teamId: z.string().max(128).optional(),
  memberRoleIds: z.array(z.string().max(128)).max(256).optional(),
};

export const RouteAnswer = {
  agentId: z.string(),
  sessionKey: SessionKey,
  mainSessionKey: SessionKey,
  matchedBy: z.string(),
  channel: z.string(),
  accountId: z.string(),
  lastRoutePolicy: z.enum(['main', 'session']).optional(),
  configRevision: z.number().int().min(0).optional().describe("Revision of the tenant's configuration that answered."),
};
