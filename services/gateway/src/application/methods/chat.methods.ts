import { plexusError, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { withAttachments } from '../store-attachments.js';
import { clientMessage } from '../../domain/transcript.js';
import type { MethodCall, MethodHandlers } from './method-context.js';
import { outcomeOf } from './run-outcome.js';

const DEFAULT_HISTORY = 200;
const MIN_RUN_TIMEOUT_MS = 1_000;

type ChatMethods = Pick<MethodHandlers, 'chat.send' | 'chat.history' | 'chat.inject' | 'chat.abort'>;

/** Conversations: owned by routing, which answers only after its commit. */
export const chatMethods: ChatMethods = {
  'chat.send': async (params, call) => {
    const content = await withAttachments(params.message, params.attachments, (rpc, data) => call.ask(rpc, data));
    const accepted = await call.ask(routing.acceptMessage, {
      sessionKey: params.sessionKey,
      ...content,
      idempotencyKey: params.idempotencyKey,
      ...(params.agentId === undefined ? {} : { agentId: params.agentId }),
      ...runTimeout(params.timeoutMs),
      ...systemPrompt(params.extraSystemPrompt, call),
      ...(params.queueMode === undefined ? {} : { queueMode: params.queueMode }),
      ...(params.owner === undefined ? {} : { owner: params.owner }),
    });
    const { runId, sessionKey } = accepted;
    if (accepted.status !== 'done' && params.on_client_disconnect !== 'continue') {
      const { principal } = call.connection;
      const owner = params.owner ?? principal.user ?? '';
      call.services.watchedRuns.started({ principal, owner, sessionKey, runId, via: 'socket', starter: call.connection });
    }
    if (accepted.status === 'accepted') return { runId, sessionKey, status: 'started' };
    if (accepted.status === 'in_flight' || accepted.run === undefined) return { runId, sessionKey, status: 'in_flight' };
    return { sessionKey, ...outcomeOf(accepted.run) };
  },

  'chat.history': async ({ sessionKey, owner, limit = DEFAULT_HISTORY, offset = 0, cursor, maxChars }, call) => {
    const session = { sessionKey, ...(owner === undefined ? {} : { owner }) };
    let before = cursor === undefined ? undefined : readCursor(cursor);
    if (before === undefined && offset > 0) {
      // Messages are numbered from 1 without gaps, so skipping the newest ones is a matter of the newest number.
      const newest = await call.ask(routing.getHistory, { ...session, limit: 1 });
      before = (newest.messages.at(-1)?.seq ?? 0) - offset + 1;
      if (before <= 1) return { sessionKey: newest.sessionKey, ...idOf(newest.sessionId), messages: [], hasMore: false, totalMessages: newest.totalMessages };
    }
    const page = await call.ask(routing.getHistory, { ...session, limit, ...(before === undefined ? {} : { before }) });
    const first = page.messages[0]?.seq;
    return {
      sessionKey: page.sessionKey,
      ...idOf(page.sessionId),
      messages: page.messages.map((message) => clientMessage(message, maxChars)),
      hasMore: page.hasMore,
      totalMessages: page.totalMessages,
      ...(page.hasMore && first !== undefined ? { nextCursor: String(first) } : {}),
    };
  },

  'chat.inject': async ({ sessionKey, message, label }, call) => {
    const { messageId } = await call.ask(routing.injectMessage, { sessionKey, message, ...(label === undefined ? {} : { label }) });
    return { ok: true, messageId };
  },

  'chat.abort': async ({ sessionKey, runId }, call) => {
    const { aborted, runIds } = await call.ask(routing.cancelRun, { sessionKey, reason: 'user', ...(runId === undefined ? {} : { runId }) });
    return { ok: true, aborted, runIds };
  },
};

/** The agent's standing orders may be extended by administrators only. */
export function systemPrompt(extraSystemPrompt: string | undefined, call: MethodCall): { extraSystemPrompt?: string } {
  if (extraSystemPrompt === undefined) return {};
  if (call.connection.has(SCOPES.admin)) return { extraSystemPrompt };
  throw plexusError('MISSING_SCOPE', {
    message: `missing scope: ${SCOPES.admin} (extraSystemPrompt)`,
    details: { missingScope: SCOPES.admin, requiredScopes: [SCOPES.admin] },
  });
}

/** 0 means the default, as for the gateways that clients know. */
export function runTimeout(timeoutMs: number | undefined): { timeoutMs?: number } {
  return timeoutMs === undefined || timeoutMs === 0 ? {} : { timeoutMs: Math.max(MIN_RUN_TIMEOUT_MS, timeoutMs) };
}

function readCursor(cursor: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(cursor))
    throw plexusError('INVALID_REQUEST', { message: 'the cursor is not one of ours', details: { issues: [{ path: '/cursor' }] } });
  return Number(cursor);
}

function idOf(sessionId: string | undefined): { sessionId?: string } {
  return sessionId === undefined ? {} : { sessionId };
}
