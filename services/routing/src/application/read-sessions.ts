import type { TenantConfig } from '@plexus/agent-config';
import { plexusError, type ResponseOf, type routingContracts } from '@plexus/contracts';
import { toStorableText } from '@plexus/kernel';
import { agentIdOf, defaultAgentId, isKnownAgent, normaliseAgentId } from '@plexus/routing-core';
import type { Owner } from '../domain/caller.js';
import { newestThatFit } from '../domain/run-start.js';
import { transcriptText } from '../domain/transcript-text.js';
import type { RoutingStore, SessionCatalogue, StoredRun, StoredSession, TranscriptMessage } from './ports.js';

/** What one answer may weigh; an answer must fit into one NATS message. */
const MAX_PAGE_BYTES = 700 * 1024;

/** Escaping may double what a text weighs; one message alone always fits. */
const EXPORT_PAGE_BYTES = 256 * 1024;

type Previews = ResponseOf<typeof routingContracts.previewSessions>['previews'];
type History = ResponseOf<typeof routingContracts.getHistory>;

/** Everything that only looks. */
export class ReadSessions {
  readonly #store: RoutingStore;
  readonly #catalogue: SessionCatalogue;

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
    return { sessionKey, sessionId: session.sessionId, messages, hasMore: messages.length > 0 && oldest > 1, totalMessages: session.messageCount };
  }

  async describe(owner: Owner, sessionKey: string): Promise<routingContracts.SessionSummary | undefined> {
    const session = await this.#store.findSession(owner, sessionKey);
    if (!session) return undefined;
    const [lastMessage] = await this.#store.messages(session.sessionId, { limit: 1, maxBytes: MAX_PAGE_BYTES });
    return summariseSession(session, lastMessage);
  }

  /** The newest messages of several sessions, each cut to a preview. */
  async preview(owner: Owner, sessionKeys: readonly string[], cut: { limit: number; maxChars: number }): Promise<Previews> {
    const previews: Previews = [];
    for (const sessionKey of sessionKeys) {
      const { sessionId, messages } = await this.history(owner, sessionKey, { limit: cut.limit });
      // What is said of files would make an answer of many sessions larger than the bus carries.
      const short = messages.map(({ attachments: _files, ...message }) => ({ ...message, text: preview(message.text, cut.maxChars) }));
      previews.push({ sessionKey, status: sessionId === undefined ? 'missing' : short.length === 0 ? 'empty' : 'ok', messages: short });
    }
    return previews;
  }

  /** One page of a transcript as text, oldest first; `next` while there may be more. Rejects with SESSION_NOT_FOUND. */
  async exported(
    owner: Owner,
    sessionKey: string,
    page: { after: number; limit: number; format: 'jsonl' | 'markdown' },
  ): Promise<ResponseOf<typeof routingContracts.exportSession>> {
    const session = await this.#store.findSession(owner, sessionKey);
    if (!session) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
    const found = await this.#store.messagesAfter(session.sessionId, { after: page.after, limit: page.limit, maxBytes: EXPORT_PAGE_BYTES });
    const messages = oldestWhoseFilesFit(found, EXPORT_PAGE_BYTES);
    const last = messages.at(-1)?.seq ?? page.after;
    const more = messages.length > 0 && last < session.messageCount;
    return { sessionKey, sessionId: session.sessionId, text: transcriptText(messages, page.format), ...(more ? { next: last } : {}) };
  }

  async list(owner: Owner, query: Parameters<SessionCatalogue['list']>[1]): Promise<ResponseOf<typeof routingContracts.listSessions>> {
    const agentId = agentIdOf(query);
    const { sessions, total } = await this.#catalogue.list(owner, { ...query, agentId });
    return {
      sessions: sessions.map(({ session, lastMessage, access }) => ({
        ...summariseSession(session, lastMessage),
        ...(access === undefined ? {} : { access }),
      })),
      totalCount: total,
      hasMore: query.offset + sessions.length < total,
    };
  }

  /** A run of the owner; with `sessionKey` only one of that session. */
  async run(owner: Owner, runId: string, sessionKey?: string): Promise<routingContracts.RunSummary | undefined> {
    const run = await this.#store.findRun(owner, runId);
    return run && (sessionKey === undefined || run.sessionKey === sessionKey) ? summariseRun(run) : undefined;
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

/** The store looks at texts only; what is said of files is bounded here, by at least one message. */
export function oldestWhoseFilesFit<M extends { readonly attachments?: unknown }>(messages: readonly M[], maxBytes: number): readonly M[] {
  let bytes = 0;
  const tooMuch = messages.findIndex(({ attachments }, index) => {
    bytes += attachments === undefined ? 0 : Buffer.byteLength(JSON.stringify(attachments));
    return index > 0 && bytes > maxBytes;
  });
  return tooMuch === -1 ? messages : messages.slice(0, tooMuch);
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
    ...session.entry,
  };
}

function preview(text: string, maxChars: number): string {
  return text.length > maxChars ? `${toStorableText(text.slice(0, maxChars - 1))}…` : text;
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
    ...(run.configRevision === 0 ? {} : { configRevision: run.configRevision }),
    ...(run.mergedInto === undefined ? {} : { mergedInto: run.mergedInto }),
  };
}
