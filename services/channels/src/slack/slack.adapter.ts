import { parseJson } from '@plexus/kernel';
import { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError, WebClient, type WebClientOptions } from '@slack/web-api';
import { type AccountConnection, type AccountPort, type ChannelAdapter, type DescribedError, FAILURE, type OutgoingPart } from '../kit/channel-adapter.js';
import { checkReachable } from '../kit/guarded-address.js';
import type { HttpAnswer, HttpRequest } from '../kit/http-listener.js';
import { ConversationKinds } from './conversation-kinds.js';
import { EventPayload, escapeSlack, receivedMessage, type Self } from './event.js';
import { quietLogger } from './quiet-logger.js';
import { isSignedBySlack } from './request-signature.js';
import { DEFAULT_API_URL, type SlackSettings, slackSettings } from './settings.js';
import { keepSocket } from './socket.js';

type Port = AccountPort<SlackSettings>;

const CALL_TIMEOUT_MS = 20_000;
/** Answers of Slack about the app and its token, after which only a person can help. */
const REFUSALS = new Set([
  ...['invalid_auth', 'not_authed', 'account_inactive', 'token_revoked', 'token_expired', 'not_allowed_token_type', 'no_permission'],
  ...['missing_scope', 'access_denied', 'team_access_not_granted', 'enterprise_is_restricted', 'org_login_required'],
]);
/** Answers about the place or the person written to; `restricted_action…` has many forms. */
const OF_TARGET = new Set([
  ...['channel_not_found', 'not_in_channel', 'is_archived', 'user_not_found', 'user_disabled', 'user_not_visible', 'cannot_dm_bot'],
  ...['messages_tab_disabled', 'cannot_reply_to_message', 'thread_not_found'],
]);

/** Slack apps over Bolt's Socket Mode receiver or the Events API: direct messages, channels, threads. */
export const slackAdapter: ChannelAdapter<typeof slackSettings> = {
  adapter: 'slack',
  settings: slackSettings,
  // Slack cuts at 40,000 but asks for at most 4,000.
  textLimit: 4_000,
  attachments: 'links',
  sharedGroups: true,
  concurrency: 4,
  callsPerSecond: 10,
  connect,
  describeError,
};

async function connect(port: Port): Promise<AccountConnection> {
  const { settings } = port;
  if (settings.apiUrl !== DEFAULT_API_URL) await checkReachable(settings.apiUrl, ['http:', 'https:'], port.privateHosts);
  // Retries, pauses and failover are decided by routing: one call here is one call there.
  const options: WebClientOptions = {
    slackApiUrl: settings.apiUrl.endsWith('/') ? settings.apiUrl : `${settings.apiUrl}/`,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: CALL_TIMEOUT_MS,
    logger: quietLogger(port.log),
  };
  const client = new WebClient(settings.botToken, options);
  const { user_id: userId } = await client.auth.test();
  const self: Self = { userId: String(userId) };
  const kinds = new ConversationKinds((channel) => askKind(port, client, channel));
  const receive = (body: unknown) => receiveEvent(port, self, kinds, body);
  const close =
    settings.mode === 'http'
      ? await listen(port, receive)
      : await keepSocket(port, {
          clientOptions: options,
          receive,
          isRefusal: (error) => describeError(error)?.refused === true,
        });
  return { send: (part) => send(client, part, settings.unfurlLinks), close };
}

/** Events API: Slack calls us and repeats what is not answered with 200. */
async function listen(port: Port, receive: (body: unknown) => Promise<void>): Promise<() => void> {
  await port.route(async (request: HttpRequest): Promise<HttpAnswer> => {
    if (!isSignedBySlack(request.headers, request.body, port.settings.signingSecret as string, port.clock.now())) {
      return { status: 401, body: { code: 'UNAUTHENTICATED' } };
    }
    const json = parseJson(request.body, { maxDepth: 64 });
    if (!json.ok) return { status: 400, body: { code: 'INVALID_JSON' } };
    const { type, challenge } = (json.value ?? {}) as { readonly type?: unknown; readonly challenge?: unknown };
    if (type === 'url_verification' && typeof challenge === 'string') return { status: 200, body: challenge };
    await receive(json.value);
    return { status: 200 };
  });
  return () => {};
}

async function receiveEvent(port: Port, self: Self, kinds: ConversationKinds, body: unknown): Promise<void> {
  const payload = EventPayload.safeParse(body);
  // Other kinds of events (reactions, joins, commands) are not messages.
  const message = payload.success ? await receivedMessage(payload.data, self, (event) => kinds.of(event)) : undefined;
  if (message !== undefined) await port.receive(message);
}

/** Asks Slack what a conversation is; undefined when the app may not know (`channels:read`, `groups:read`, `mpim:read`). */
async function askKind(port: Port, client: WebClient, channel: string): Promise<'dm' | 'group' | 'channel' | undefined> {
  try {
    const { channel: found } = await client.conversations.info({ channel });
    return found?.is_im ? 'dm' : found?.is_mpim ? 'group' : 'channel';
  } catch (error) {
    if (!(error instanceof WebAPIPlatformError)) throw error;
    port.log.warn({ channel, reason: error.data.error }, 'Slack does not tell what kind of conversation this is; it counts as a channel');
    return undefined;
  }
}

async function send(client: WebClient, part: OutgoingPart, unfurl: boolean): Promise<{ messageId?: string }> {
  const thread = part.threadId ?? part.replyToId;
  const { ts } = await client.chat.postMessage({
    channel: part.to,
    text: escapeSlack(part.text),
    unfurl_links: unfurl,
    unfurl_media: unfurl,
    ...(thread !== undefined && { thread_ts: thread }),
  });
  return ts === undefined ? {} : { messageId: ts };
}

function describeError(error: unknown): DescribedError | undefined {
  if (error instanceof WebAPIPlatformError) {
    const { error: said } = error.data;
    const refused = REFUSALS.has(said);
    const code = refused ? FAILURE.auth : OF_TARGET.has(said) || said.startsWith('restricted_action') ? FAILURE.target : said;
    return { message: `Slack says ${said}`, code, refused };
  }
  if (error instanceof WebAPIRateLimitedError) {
    return { message: 'Slack asks for a pause', code: 'ratelimited', status: 429, retryAfterMs: error.retryAfter * 1_000 };
  }
  if (error instanceof WebAPIHTTPError) return { message: `Slack answers HTTP ${error.statusCode}`, code: String(error.statusCode), status: error.statusCode };
  if (error instanceof WebAPIRequestError) return { message: error.message, code: networkCode(error.original) };
  return undefined;
}

function networkCode(error: Error): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'ETIMEDOUT';
  const { code, cause } = error as Error & { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  return typeof code === 'string' ? code : typeof cause?.code === 'string' ? cause.code : 'NETWORK';
}
