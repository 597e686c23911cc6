import type { MethodParams } from '@plexus/client-protocol';
import { plexusError, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { withAttachments } from '../store-attachments.js';
import { clientMessage } from '../../domain/transcript.js';
import type { MethodCall, MethodHandlers } from './method-context.js';
import { outcomeOf } from './run-outcome.js';

const DEFAULT_HISTORY = 200;
const MIN_RUN_TIMEOUT_MS = 1_000;
/** Messages that are looked through for one id, and how many at a time. */
const MAX_SEARCHED = 5_000;
const SEARCH_PAGE = 500;

type ChatMethods = Pick<MethodHandlers, 'chat.send' | 'chat.history' | 'chat.inject' | 'chat.abort'>;

/** Conversations: owned by routing, which answers only after its commit. */
export const chatMethods: ChatMethods = {
  'chat.send': (params, call) => call.inTurn(params, () => sendMessage(params, call)),

  'chat.history': async ({ sessionKey, owner, limit = DEFAULT_HISTORY, offset = 0, cursor, messageId, maxChars }, call) => {
    const session = { sessionKey, ...(owner === undefined ? {} : { owner }) };
    let before = cursor === undefined ? undefined : readCursor(cursor);
    if (messageId !== undefined) before = (await seqOf(messageId, session, call)) + Math.floor(limit / 2) + 1;
    else if (before === undefined && offset > 0) {
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

  'chat.inject': ({ sessionKey, message, label }, call) =>
    call.inTurn({ sessionKey }, async () => {
      const { messageId } = await call.tell(routing.injectMessage, { sessionKey, message, ...(label === undefined ? {} : { label }) });
      return { ok: true, messageId };
    }),

  'chat.abort': ({ sessionKey, runId }, call) =>
    call.inTurn({ sessionKey }, async () => {
      const { aborted, runIds } = await call.tell(routing.cancelRun, { sessionKey, reason: 'user', ...(runId === undefined ? {} : { runId }) });
      return { ok: true, aborted, runIds };
    }),
};

/** Hands one message over; whoever calls this sees to it that messages of one connection stay in their order. */
export async function sendMessage(params: MethodParams<'chat.send'>, call: MethodCall): Promise<unknown> {
  const content = await withAttachments(params.message, params.attachments, (rpc, data) => call.tell(rpc, data));
  const accepted = await call.tell(routing.acceptMessage, {
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
}

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

/** Where a message stands in its conversation. Rejects with NOT_FOUND for one that is not among the newest: nobody searches a whole transcript with a request. */
async function seqOf(messageId: string, session: { readonly sessionKey: string; readonly owner?: string }, call: MethodCall): Promise<number> {
  let before: number | undefined;
  for (let looked = 0; looked < MAX_SEARCHED; looked += SEARCH_PAGE) {
    const page = await call.ask(routing.getHistory, { ...session, limit: SEARCH_PAGE, ...(before === undefined ? {} : { before }) });
    const found = page.messages.find((message) => message.messageId === messageId);
    if (found !== undefined) return found.seq;
    before = page.messages[0]?.seq;
    if (!page.hasMore || before === undefined) break;
  }
  throw plexusError('NOT_FOUND', { message: `no such message among the newest ${MAX_SEARCHED} of this session`, details: { messageId } });
}

function readCursor(cursor: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(cursor))
    throw plexusError('INVALID_REQUEST', { message: 'the cursor is not one of ours', details: { issues: [{ path: '/cursor' }] } });
  return Number(cursor);
}

function idOf(sessionId: string | undefined): { sessionId?: string } {
  return sessionId === undefined ? {} : { sessionId };
}
