import { errors, mcpContracts as mcp, memoryContracts as memory, routingContracts as routing, skillContracts as skill } from '@plexus/contracts';
import {
  GetAttachmentParams,
  GetConfigParams,
  GetSessionParams,
  GetSkillPackageParams,
  McpCallParams,
  memoryKindOf,
  MemorySearchParams,
  MemoryWriteParams,
} from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import type { VmSession } from '../../domain/vm-sessions.js';
import { pause, persist } from '../persist.js';
import { NOTIFY_METHODS } from './notify-methods.js';
import { ask, callAs, type Method, ownerOf, read, type RequestContext, vmPrincipal } from './request-context.js';

const NOBODY_THERE_MS = 500;
/** Sessions that are looked through for one that did not run on this VM. */
const MAX_LISTED = 500;

/** What VMs may ask, by the method's name. Each handler answers with `result`, or throws a PlexusError. */
export const REQUEST_METHODS: Readonly<Record<string, Method>> = {
  ...NOTIFY_METHODS,

  memory_search: async (params, context) => {
    const { query, top_k } = read(MemorySearchParams, params);
    const { hits } = await ask(context, memory.searchMemory, { query, ...(top_k == null ? {} : { k: top_k }), scopes: scopesOf(context) });
    return {
      results: hits.map(({ id, content, score, metadata, kind, createdAt }) => ({
        id,
        content,
        score,
        metadata: { ...metadata, kind, created_at: createdAt },
      })),
    };
  },

  memory_write: async (params, context) => {
    const { content, memory_type, importance, metadata } = read(MemoryWriteParams, params);
    const { vmId, epoch } = context.identity;
    const { id, result } = await ask(context, memory.writeMemory, {
      content,
      kind: memoryKindOf(memory_type),
      ...(importance == null ? {} : { importance }),
      ...(metadata == null ? {} : { metadata }),
      // The same request, sent again by the runtime after a reconnect to another gateway, is stored once.
      idempotencyKey: `${vmId}:${epoch}:${context.request.id}`.slice(0, 256),
    });
    return { id, result };
  },

  get_skill_package: (params, context) => {
    const { skill_id, version } = read(GetSkillPackageParams, params);
    return ask(context, skill.skillPackage, { skillId: skill_id, ...(version == null ? {} : { version }) });
  },

  mcp_call: async (params, context) => {
    const { server, tool, arguments: input } = read(McpCallParams, params);
    const data = { server, tool, arguments: input ?? {}, sessionId: context.request.session_id };
    // Not repeated after anything but "nobody was there": the call may have had its effect.
    for (;;) {
      try {
        return await callAs(vmPrincipal(context), context, mcp.callMcpTool, data);
      } catch (error) {
        if (!hasCode(error, 'NO_RESPONDERS')) throw error;
        await pause(NOBODY_THERE_MS, context.signal);
      }
    }
  },

  get_config: async (params, { services, identity, sessions }) => {
    const { agent_id } = read(GetConfigParams, params);
    const config = services.agents.view(identity.tenant, agent_id, sessions.hasAgent(agent_id) ? 'own' : 'card');
    if (config === undefined) throw errors.create('NOT_FOUND', { message: 'There is no such agent.' });
    return { config };
  },

  /** Only files of the session that asks. */
  get_attachment: async (params, context) => {
    const { attachment_id, part } = read(GetAttachmentParams, params);
    const session = context.sessions.get(context.request.session_id);
    if (session === undefined) throw errors.create('SESSION_NOT_FOUND');
    const wanted = { sessionKey: session.sessionKey, attachmentId: attachment_id, ...(part == null ? {} : { part }) };
    // Sessions are closed to VMs; the gateway asks for the owner of the one that this VM works on.
    const principal = { ...context.services.service(context.identity.tenant), user: session.owner };
    const { data, next } = await persist(() => callAs(principal, context, routing.readAttachment, wanted), context.signal);
    return { data, ...(next === undefined ? {} : { next }) };
  },

  get_session: async (params, context) => {
    const { session_id } = read(GetSessionParams, params);
    const found = await findSession(session_id, context);
    if (found === undefined) throw errors.create('SESSION_NOT_FOUND');
    const { sessionKey, agentId, kind, label, displayName, createdAt, updatedAt, messageCount } = found;
    const view = context.services.agents.view(context.identity.tenant, agentId, 'card');
    return {
      session: {
        session_id,
        session_key: sessionKey,
        agent_id: agentId,
        kind,
        ...(label === undefined ? {} : { label }),
        ...(displayName === undefined ? {} : { display_name: displayName }),
        created_at: createdAt,
        updated_at: updatedAt,
        message_count: messageCount,
      },
      agent: view ?? { agent_id: agentId },
    };
  },
};

/** A session of whoever the VM works for: one that runs on it, else one of the newest. */
async function findSession(sessionId: string, context: RequestContext): Promise<routing.SessionSummary | undefined> {
  const owner = ownerOf(context);
  const known: VmSession | undefined = context.sessions.get(sessionId);
  // A shared VM holds sessions of several people; none of them is shown to another.
  if (known !== undefined && known.owner !== owner) return undefined;
  const { tenant } = context.identity;
  const principal = { ...context.services.service(tenant), user: owner };
  if (known !== undefined) {
    const { session } = await persist(() => callAs(principal, context, routing.describeSession, { sessionKey: known.sessionKey }), context.signal);
    return session?.sessionId === sessionId ? session : undefined;
  }
  const { sessions } = await persist(() => callAs(principal, context, routing.listSessions, { limit: MAX_LISTED }), context.signal);
  return sessions.find((session) => session.sessionId === sessionId);
}

/** Where a search looks that names no place: the session, its agent, and its owner. */
function scopesOf(context: RequestContext): { kind: 'session' | 'agent' | 'user'; id: string }[] {
  const session = context.sessions.get(context.request.session_id);
  return [
    ...(session === undefined ? [] : [{ kind: 'session' as const, id: session.sessionKey }]),
    ...(session?.agentId === undefined ? [] : [{ kind: 'agent' as const, id: session.agentId }]),
    { kind: 'user', id: ownerOf(context) },
  ];
}
