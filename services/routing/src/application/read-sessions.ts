import type { TenantConfig } from '@plexus/agent-config';
import type { ResponseOf, routingContracts } from '@plexus/contracts';
import {
  compileRoutes,
  type CompiledRoutes,
  defaultAgentId,
  isKnownAgent,
  normaliseAgentId,
  type Route,
  type RouteInput,
  resolveRoute,
} from '@plexus/routing-core';
import type { Owner } from '../domain/caller.js';
import { newestThatFit } from '../domain/run-start.js';
import type { RoutingStore, SessionCatalogue, StoredRun, StoredSession, TranscriptMessage } from './ports.js';

/** What one answer may weigh; an answer must fit into one NATS message. */
const MAX_PAGE_BYTES = 700 * 1024;

type History = ResponseOf<typeof routingContracts.getHistory>;

/** Everything that only looks. */
export class ReadSessions {
  readonly #store: RoutingStore;
  readonly #catalogue: SessionCatalogue;
  readonly #routes = new WeakMap<TenantConfig, CompiledRoutes>();

  constructor(store: RoutingStore, catalogue: SessionCatalogue) {
    this.#store = store;
    this.#catalogue = catalogue;
  }

  /** The newest messages below `before`, oldest first, as many as are wanted and fit into one answer. */
  async history(owner: Owner, sessionKey: string, page: { limit: number; before?: number | undefined }): Promise<History> {
    const session = await this.#store.findSession(owner, sessionKey);
    if (!session) return { sessionKey, messages: [], hasMore: false, totalMessages: 0 };
    const found = await this.#store.messages(session.sessionId, { ...page, maxBytes: MAX_PAGE_BYTES });
    const messages = newestThatFit(found, { messages: page.limit, bytes: MAX_PAGE_BYTES });
    const oldest = messages[0]?.seq ?? page.before ?? 1;
    return { sessionKey, sessionId: session.sessionId, messages, hasMore: oldest > 1, totalMessages: session.messageCount };
  }

  async describe(owner: Owner, sessionKey: string): Promise<routingContracts.SessionSummary | undefined> {
    const session = await this.#store.findSession(owner, sessionKey);
    if (!session) return undefined;
    const [lastMessage] = await this.#store.messages(session.sessionId, { limit: 1, maxBytes: MAX_PAGE_BYTES });
    return summariseSession(session, lastMessage);
  }

  async list(owner: Owner, query: Parameters<SessionCatalogue['list']>[1]): Promise<ResponseOf<typeof routingContracts.listSessions>> {
    const { sessions, total } = await this.#catalogue.list(owner, query);
    return {
      sessions: sessions.map(({ session, lastMessage }) => summariseSession(session, lastMessage)),
      totalCount: total,
      hasMore: query.offset + sessions.length < total,
    };
  }

  /** A run of the owner; with `sessionKey` only one of that session. */
  async run(owner: Owner, runId: string, sessionKey?: string): Promise<routingContracts.RunSummary | undefined> {
    const run = await this.#store.findRun(owner, runId);
    return run && (sessionKey === undefined || run.sessionKey === sessionKey) ? summariseRun(run) : undefined;
  }

  /** Routes are compiled once per revision of a tenant's configuration. */
  resolve(config: TenantConfig, input: RouteInput): Route {
    const routes = this.#routes.get(config) ?? compileRoutes(config);
    this.#routes.set(config, routes);
    return resolveRoute(routes, input);
  }

  agents(config: TenantConfig): ResponseOf<typeof routingContracts.listAgents> {
    const defaultId = defaultAgentId(config);
    const agents = config.agents.list.map(({ id, name, model }) => ({
      id: normaliseAgentId(id),
      ...(name === undefined ? {} : { name }),
      ...(model === undefined ? {} : { model }),
    }));
    return { defaultAgentId: defaultId, agents: isKnownAgent(config, defaultId) && agents.length > 0 ? agents : [{ id: defaultId }] };
  }
}

export function summariseSession(session: StoredSession, lastMessage?: TranscriptMessage): routingContracts.SessionSummary {
  return {
    sessionKey: session.sessionKey,
    sessionId: session.sessionId,
    owner: session.owner,
    agentId: session.agentId,
    kind: session.kind,
    ...(session.label === undefined ? {} : { label: session.label }),
    createdAt: session.createdAt.toISOString(),
    updatedAt: session.updatedAt.toISOString(),
    messageCount: session.messageCount,
    ...(lastMessage === undefined ? {} : { lastMessage }),
    ...(session.activeRunId === undefined ? {} : { activeRunId: session.activeRunId }),
  };
}

export function summariseRun(run: StoredRun): routingContracts.RunSummary {
  return {
    runId: run.runId,
    sessionId: run.sessionId,
    sessionKey: run.sessionKey,
    status: run.status,
    ...(run.text === undefined ? {} : { text: run.text }),
    ...(run.error === undefined ? {} : { error: run.error }),
    createdAt: run.createdAt.toISOString(),
    ...(run.endedAt === undefined ? {} : { endedAt: run.endedAt.toISOString() }),
  };
}
