import { plexusError, routingContracts as routing } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { ownerKey } from '../../domain/caller.js';
import { sessionRow } from '../../domain/transcript.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

type SessionMethods = Pick<
  MethodHandlers,
  | 'sessions.list'
  | 'sessions.create'
  | 'sessions.reset'
  | 'sessions.describe'
  | 'sessions.resolve'
  | 'sessions.subscribe'
  | 'sessions.unsubscribe'
  | 'sessions.messages.subscribe'
  | 'sessions.messages.unsubscribe'
>;

/** Subscriptions of one socket; a client that wants more than this wants all of them. */
const MAX_WATCHED = 1_000;

export const sessionMethods: SessionMethods = {
  'sessions.list': (params, call) => list(params, call),

  'sessions.create': ({ key, label, message, agentId }, call) =>
    call.inTurn({ sessionKey: key, agentId }, async () => {
      const { session } = await call.tell(routing.createSession, {
        ...(key === undefined ? {} : { sessionKey: key }),
        ...(label === undefined ? {} : { label }),
        ...(agentId === undefined ? {} : { agentId }),
      });
      const entry = sessionRow(session);
      if (message === undefined) return { ok: true, key: entry.key, sessionId: entry.sessionId, entry, runStarted: false };
      const { runId } = await call.tell(routing.acceptMessage, { sessionKey: entry.key, message, idempotencyKey: ulid() });
      return { ok: true, key: entry.key, sessionId: entry.sessionId, entry, runStarted: true, runId };
    }),

  /** Behind the messages that this connection sent before it: they belong to the conversation that ends here. */
  'sessions.reset': ({ key, reason }, call) =>
    call.inTurn({ sessionKey: key }, async () => {
      const { session } = await call.tell(routing.resetSession, { sessionKey: key, ...(reason === undefined ? {} : { reason }) });
      return { ok: true, key: session.sessionKey, entry: sessionRow(session) };
    }),

  /** The session of a key; without `session` when it does not exist yet. */
  'sessions.describe': async (params, call) => {
    const { sessionKey, session } = await describe(params, call);
    return { key: sessionKey, ...(session === undefined ? {} : { session: sessionRow(session) }) };
  },

  'sessions.resolve': async (params, call) => {
    const { sessionKey, session } = await describe(params, call);
    if (session === undefined) throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
    return { ok: true, key: sessionKey };
  },

  'sessions.subscribe': async (params, call) => {
    call.connection.watchesSessionList = true;
    return { subscribed: true, list: await list(params, call) };
  },

  'sessions.unsubscribe': (_params, { connection }) => {
    connection.watchesSessionList = false;
    return { subscribed: false };
  },

  'sessions.messages.subscribe': async (params, call) => {
    const { watchedSessions, followed } = call.connection;
    if (isForeign(params.owner, call)) {
      if (followed.size >= MAX_WATCHED)
        throw plexusError('QUOTA_EXCEEDED', { message: `a connection can follow ${MAX_WATCHED} sessions`, details: { limit: MAX_WATCHED } });
      const { sessionKey, access } = await call.ask(routing.sessionAccess, { sessionKey: params.key, owner: params.owner });
      if (access === 'none') throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
      const owner = ownerKey(call.connection.principal.tenant, params.owner);
      call.services.connections.follow(call.connection, owner, sessionKey);
      // A grant that was taken back before the connection followed was told to nobody here.
      const { access: still } = await call.ask(routing.sessionAccess, { sessionKey, owner: params.owner });
      if (still === 'none') {
        call.services.connections.unfollow(call.connection, owner, sessionKey);
        throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
      }
      return { subscribed: true, key: sessionKey, owner: params.owner };
    }
    const { sessionKey } = await describe(params, call);
    if (watchedSessions.size >= MAX_WATCHED && !watchedSessions.has(sessionKey)) {
      throw plexusError('QUOTA_EXCEEDED', { message: `a connection can follow ${MAX_WATCHED} sessions`, details: { limit: MAX_WATCHED } });
    }
    watchedSessions.add(sessionKey);
    return { subscribed: true, key: sessionKey };
  },

  'sessions.messages.unsubscribe': async (params, call) => {
    if (isForeign(params.owner, call)) {
      const { sessionKey } = await call.ask(routing.sessionAccess, { sessionKey: params.key, owner: params.owner });
      call.services.connections.unfollow(call.connection, ownerKey(call.connection.principal.tenant, params.owner), sessionKey);
      return { subscribed: false, key: sessionKey, owner: params.owner };
    }
    const { sessionKey } = await describe(params, call);
    call.connection.watchedSessions.delete(sessionKey);
    return { subscribed: false, key: sessionKey };
  },
};

/** A session of somebody else, that may be shared with the caller. */
function isForeign(owner: string | undefined, { connection }: MethodCall): owner is string {
  return owner !== undefined && owner !== connection.principal.user;
}

function describe(params: { key: string; agentId?: string | undefined }, call: MethodCall) {
  return call.ask(routing.describeSession, { sessionKey: params.key, ...(params.agentId === undefined ? {} : { agentId: params.agentId }) });
}

interface ListParams {
  limit?: number | undefined;
  offset?: number | undefined;
  search?: string | undefined;
  agentId?: string | undefined;
  includeLastMessage?: boolean | undefined;
}

async function list(params: ListParams, call: MethodCall) {
  const offset = params.offset ?? 0;
  const { sessions, totalCount, hasMore } = await call.ask(routing.listSessions, {
    offset,
    ...(params.limit === undefined ? {} : { limit: params.limit }),
    ...(params.search === undefined ? {} : { search: params.search }),
    ...(params.agentId === undefined ? {} : { agentId: params.agentId }),
    ...(params.includeLastMessage === undefined ? {} : { includeLastMessage: params.includeLastMessage }),
  });
  const { agentId, mainKey } = call.services.tenants.defaultAgent(call.connection.principal.tenant);
  return {
    ts: call.services.now(),
    path: 'plexus',
    count: sessions.length,
    totalCount,
    hasMore,
    ...(hasMore ? { nextOffset: offset + sessions.length } : {}),
    defaults: { agentId, mainKey },
    sessions: sessions.map(sessionRow),
  };
}
